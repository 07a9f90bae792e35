import { testRaces } from "./race-pairs.ts";

testRaces(["claim/claim", "start/start", "start/revoke"]);
