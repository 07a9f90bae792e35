import { expect, test } from "vitest";
import { identityOf } from "../../src/log/identity.ts";

test("a log on Kafka is the same one by whatever order of brokers and registry it is named", () => {
  const ways = ["kafka://b2:9093,B1?registry=http://r:8081", "kafka://b1:9092,b2:9093?registry=http://other:8081/&partitions=12"];
  expect(new Set(ways.map((url) => identityOf({ url })))).toEqual(new Set(["kafka://b1:9092,b2:9093"]));
});

test("a log on Kafka is another one under another prefix or at other brokers", () => {
  const urls = ["kafka://b1?registry=http://r:8081", "kafka://b1?registry=http://r:8081&prefix=a.", "kafka://b2?registry=http://r:8081"];
  expect(new Set(urls.map((url) => identityOf({ url }))).size).toBe(3);
});

test("a log that a program brings along is the one of its address", () => {
  expect(identityOf({ url: "memory:" })).toBe("memory:");
  expect(identityOf({ url: "my own log" })).toBe("my own log");
});
