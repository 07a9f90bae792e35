/** Where COUNTERSIGN_PROPERTY_SEED holds a number, all property tests draw from it; otherwise each run draws anew (and prints the seed of what fails). */
const seed = Number(process.env.COUNTERSIGN_PROPERTY_SEED ?? Number.NaN);
if (Number.isSafeInteger(seed)) {
  const { default: fc } = await import("fast-check");
  fc.configureGlobal({ seed });
}
