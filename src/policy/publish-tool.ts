/** The tool by which a policy document is published where that needs approval. */
export const PUBLISH_TOOL = "countersign.policy.publish";

/** Tools of Countersign itself: no catalogue describes them, so that no glob lets them flow. */
export function isReserved(tool: string): boolean {
  return tool.startsWith("countersign.");
}
