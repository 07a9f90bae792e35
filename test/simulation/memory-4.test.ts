import { testHistories } from "./histories.ts";

testHistories("memory", 3001, 1000);
