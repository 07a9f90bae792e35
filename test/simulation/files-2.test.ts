import { testHistories } from "./histories.ts";

testHistories("files", 4501, 500);
