import { testHistories } from "./histories.ts";

testHistories("memory", 2001, { inCi: 150, inAll: 1000 });
