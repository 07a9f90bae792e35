import { sha256 } from "../../events/canonical.ts";

/** What the function-calling APIs accept as a name. */
const ACCEPTED = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Names of functions as the APIs accept them. A name that they refuse gets the letters that they accept and a piece of its hash, so that no
 * two names meet; `table` leads back.
 */
export class FunctionNames {
  private readonly mapped = new Map<string, string>();

  accepted(name: string): string {
    if (ACCEPTED.test(name)) return name;
    const known = this.mapped.get(name);
    if (known !== undefined) return known;
    const mapped = `${name.replace(/[^A-Za-z0-9_-]+/g, "_").slice(0, 50)}-${sha256(name).slice(0, 12)}`;
    this.mapped.set(name, mapped);
    return mapped;
  }

  /** From the name in the files to the name of the tool. Only names that were changed. */
  table(): { readonly [mapped: string]: string } {
    return Object.fromEntries([...this.mapped].map(([name, mapped]) => [mapped, name] as const).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
