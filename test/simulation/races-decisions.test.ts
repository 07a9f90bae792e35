import { testRaces } from "./race-pairs.ts";

testRaces(["approve/reject", "decide/expire", "edit/approve"]);
