import { describe, expect, it } from "vitest";
import { CountersignError } from "../../src/errors.ts";
import { kafkaCredentials, parseLogUrl } from "../../src/log/url.ts";

describe("a log URL", () => {
  it.each([
    ["sqlite:./data", "./data"],
    ["sqlite:/var/lib/countersign", "/var/lib/countersign"],
    ["sqlite:///var/lib/countersign", "/var/lib/countersign"],
    ["sqlite:a folder", "a folder"],
  ])("names an embedded log: %s", (text, dir) => {
    expect(parseLogUrl(text)).toEqual({ kind: "sqlite", dir, text });
  });

  it("names a log in memory", () => {
    expect(parseLogUrl("memory:")).toEqual({ kind: "memory", text: "memory:" });
  });

  it("names Kafka with everything that it may have", () => {
    const text = "kafka://h1:9092,h2,[::1]:9093?registry=https://r:8081/apis/ccompat/v7/&prefix=cs.&ssl=true&saslMechanism=scram-sha-512&partitions=6";
    expect(parseLogUrl(text)).toEqual({
      kind: "kafka",
      brokers: ["h1:9092", "h2:9092", "[::1]:9093"],
      registry: "https://r:8081/apis/ccompat/v7",
      prefix: "cs.",
      ssl: true,
      saslMechanism: "scram-sha-512",
      partitions: 6,
      text,
    });
  });

  it("needs no more than a broker and a registry, and takes empty parameters as absent", () => {
    const expected = { kind: "kafka", brokers: ["h:9092"], registry: "http://r:8081", prefix: "", ssl: false };
    expect(parseLogUrl("kafka://h?registry=http://r:8081")).toMatchObject(expected);
    const empty = parseLogUrl("kafka://h:9092?registry=http://r:8081&prefix=&ssl=&saslMechanism=&partitions=");
    expect(empty).toMatchObject(expected);
    expect(Object.keys(empty)).not.toContain("saslMechanism");
    expect(Object.keys(empty)).not.toContain("partitions");
  });

  it.each([
    ["", "log"],
    ["./data", "log"],
    ["postgres://h/db", "log"],
    ["sqlite:", "dir"],
    ["sqlite:data/log.db", "dir"],
    ["sqlite:data?x=1", "dir"],
    ["kafka://h:9092", "registry"],
    ["kafka://h:9092?registry=r:8081", "registry"],
    ["kafka://h:9092?registry=ftp://r", "registry"],
    ["kafka://?registry=http://r", "brokers"],
    ["kafka://h:99999?registry=http://r", "brokers"],
    ["kafka://h:9092,,i:9092?registry=http://r", "brokers"],
    ["kafka://h:9092/topic?registry=http://r", "path"],
    ["kafka://h:9092?registry=http://r&ssl=maybe", "ssl"],
    ["kafka://h:9092?registry=http://r&saslMechanism=gssapi", "saslMechanism"],
    ["kafka://h:9092?registry=http://r&prefix=a/b", "prefix"],
    ["kafka://h:9092?registry=http://r&partitions=0", "partitions"],
    ["kafka://h:9092?registry=http://r&partitions=1.5", "partitions"],
    ["kafka://h:9092?registry=http://r&regsitry=x", "regsitry"],
    ["kafka://h:9092?registry=http://r&ssl=true&ssl=false", "ssl"],
  ])("is refused by name, with what is accepted: %s", (text, field) => {
    const error = refusal(() => parseLogUrl(text));
    expect(error).toMatchObject({ code: "log_url_invalid", field });
    expect(error.fix).toBeTruthy();
  });

  it.each(["kafka://me:secret@h:9092?registry=http://r", "kafka://h:9092?registry=http://me:secret@r", "kafka://h:9092?registry=http%3A%2F%2Fme%3Asecret%40r"])(
    "is refused with credentials in it, which are not repeated: %s",
    (text) => {
      const error = refusal(() => parseLogUrl(text));
      expect(error).toMatchObject({ code: "log_url_invalid" });
      expect(error.fix).toContain("KAFKA_USERNAME");
      expect(`${error.message} ${error.fix}`).not.toContain("secret");
    },
  );
});

describe("the credentials for Kafka", () => {
  it("come from the environment, both or none", () => {
    expect(kafkaCredentials({})).toBeUndefined();
    expect(kafkaCredentials({ KAFKA_USERNAME: "u", KAFKA_PASSWORD: "p" })).toEqual({ username: "u", password: "p" });
    expect(refusal(() => kafkaCredentials({ KAFKA_USERNAME: "u" }))).toMatchObject({ field: "KAFKA_PASSWORD" });
    expect(refusal(() => kafkaCredentials({ KAFKA_PASSWORD: "p" }))).toMatchObject({ field: "KAFKA_USERNAME" });
  });
});

function refusal(attempt: () => unknown): CountersignError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
