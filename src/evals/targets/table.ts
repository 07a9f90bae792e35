import { jsonl, operations, parquet } from "./neutral.ts";
import { openaiDpo, openaiSft } from "./openai.ts";
import type { Target } from "./target.ts";
import { trlKto, trlPreference, trlSft } from "./trl.ts";

/** Every target, in the order in which `list-targets` shows them. */
export const TARGETS: readonly Target[] = [jsonl, parquet, trlPreference, trlKto, trlSft, openaiSft, openaiDpo, operations];
