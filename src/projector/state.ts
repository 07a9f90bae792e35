import { sha256 } from "../events/canonical.ts";
import { createItem, type Item, type Node, type NodeKey } from "../ledger/item.ts";

/** Where schemas of arguments are kept once: by their hash. */
export interface Blobs {
  put(sha256: string, text: string): void;
  get(sha256: string): string;
}

const SCHEMA = "argsSchema";

/** An item's state as text. Schemas of arguments are replaced by their hashes; an edit's actions repeat only what it changed. */
export function writeState(item: Item, blobs: Blobs): string {
  const { workspace, proposal, cleared, incidents, nodes } = item;
  return JSON.stringify({ workspace, proposal, cleared, incidents, nodes: [...nodes.values()] }, (key, value) => {
    if (key !== SCHEMA || typeof value !== "string") return value;
    const hash = sha256(value);
    blobs.put(hash, value);
    return hash;
  });
}

/** The item of a state's text. */
export function readState(id: string, text: string, blobs: Blobs): Item {
  const { nodes, ...rest } = JSON.parse(text, (key, value) => (key === SCHEMA && typeof value === "string" ? blobs.get(value) : value)) as Omit<Item, "nodes" | "id"> & { nodes: Node[] };
  return { ...createItem(id), ...rest, nodes: new Map(nodes.map((n) => [`${n.topic}/${n.id}` as NodeKey, n])) };
}
