import { testHistories } from "./histories.ts";

testHistories("memory", 3001, { inCi: 100, inAll: 1000 });
