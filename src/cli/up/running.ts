import type { Keys } from "../../local/keys.ts";
import type { Publishable } from "../../policy/document/publish.ts";
import type { Ledger } from "../../runtime.ts";

/** What runs beside the server, as the demo does. */
export interface Companion {
  /** Documents to publish as well. */
  readonly policies: readonly Publishable[];
  /** Starts once the server answers; gives the way to stop. */
  start(running: Running): Promise<() => Promise<void>>;
}

/** A running server. */
export interface Running {
  readonly ledger: Ledger;
  readonly keys: Keys;
  readonly url: string;
  readonly data: string;
}
