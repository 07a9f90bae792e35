import { createRequire } from "node:module";

// Large libraries that most runs of the program never need: each is loaded when it is first used, and a command starts in half the time.
// Not by `import()`: the fold and the policy compiler are synchronous.
const load = createRequire(import.meta.url);

/** JSON Schema draft-07. */
export const ajv = (): typeof import("ajv") => load("ajv");
/** JSON Schema 2020-12. */
export const ajv2020 = (): typeof import("ajv/dist/2020.js") => load("ajv/dist/2020.js");
/** The formats of JSON Schema. */
export const ajvFormats = (): typeof import("ajv-formats") => load("ajv-formats");
/** YAML 1.2. */
export const yaml = (): typeof import("yaml") => load("yaml");
/** The Common Expression Language. */
export const cel = (): typeof import("@bufbuild/cel") => load("@bufbuild/cel");
