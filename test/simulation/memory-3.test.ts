import { testHistories } from "./histories.ts";

testHistories("memory", 2001, 1000);
