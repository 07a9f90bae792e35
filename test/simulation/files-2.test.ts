import { testHistories } from "./histories.ts";

testHistories("files", 4501, { inCi: 125, inAll: 500 });
