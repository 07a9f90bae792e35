import { testHistories } from "./histories.ts";

testHistories("memory", 1001, 1000);
