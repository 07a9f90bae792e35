/** The demo has a workspace of its own, so that one reviewer sees all of it. */
export const DEMO_WORKSPACE = "demo";

/** How fast the demo goes. Tests make it faster. */
export interface Pace {
  /** Mean time between proposals, in milliseconds. */
  readonly proposeMs: number;
  /** Mean time that an executor takes, in milliseconds. */
  readonly executeMs: number;
}
