import { testHistories } from "./histories.ts";

testHistories("memory", 1001, { inCi: 250, inAll: 1000 });
