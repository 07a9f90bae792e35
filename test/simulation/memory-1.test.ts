import { testHistories } from "./histories.ts";

testHistories("memory", 1, { inCi: 500, inAll: 1000 });
