import { testHistories } from "./histories.ts";

testHistories("files", 4001, { inCi: 125, inAll: 500 });
