import { ARRIVING } from "./cases/arriving.ts";
import type { Case } from "./cases/case.ts";
import { DECIDING } from "./cases/deciding.ts";
import { EXECUTING } from "./cases/executing.ts";

export type { Case } from "./cases/case.ts";

/** The shortest dangerous histories. */
export const CASES: readonly Case[] = [...ARRIVING, ...DECIDING, ...EXECUTING];
