/** The demo has a workspace of its own, so that one reviewer sees all of it. */
export const DEMO_WORKSPACE = "demo";

/** Batches of the demo are small and soon sealed: it is watched for minutes. */
export const DEMO_BATCH = { max: 3, window: "PT1M" } as const;

/** How fast the demo goes. Tests make it faster. */
export interface Pace {
  /** Mean time between proposals, in milliseconds. */
  readonly proposeMs: number;
  /** Mean time that an executor takes, in milliseconds. */
  readonly executeMs: number;
}
