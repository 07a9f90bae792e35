import { testHistories } from "./histories.ts";

testHistories("files", 4001, 500);
