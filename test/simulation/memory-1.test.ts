import { testHistories } from "./histories.ts";

testHistories("memory", 1, 1000);
