import type { Counts } from "../../projector/interruptions.ts";
import { plural } from "../text.ts";

/** How much batches spared: `5 notices instead of 40 (13 %)`. */
export function ratioText({ notices, without }: Pick<Counts, "notices" | "without">): string {
  if (without === 0) return "no notices";
  return `${plural(notices, "notice")} instead of ${without} (${Math.round((100 * notices) / without)} %)`;
}
