import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { apiOf } from "../../src/cli/http.ts";
import { cliOf } from "../../src/cli/io.ts";
import { troubleTeller } from "../../src/cli/up/trouble.ts";

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(answer: Parameters<typeof createServer>[1]): Promise<string> {
  server = createServer(answer as never).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const api = (url: string, patienceMs?: number) =>
  apiOf({ env: { COUNTERSIGN_URL: url, COUNTERSIGN_API_KEY: "k" }, signal: new AbortController().signal }, patienceMs);

describe("the client of the commands", () => {
  it("gives up on a server that does not answer, and says that what was sent may still take effect", async () => {
    const url = await serve(() => {});
    await expect(api(url, 50).call("POST", "/v1/proposals", {})).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("may still take effect"),
    });
  });

  it("knows a server that is another one", async () => {
    const url = await serve((_request: unknown, response: { end(text: string): void }) => response.end("<html>"));
    await expect(api(url).call("GET", "/v1/items")).rejects.toMatchObject({ code: "unavailable", message: `${url} answered 200, but not as Countersign does` });
  });
});

describe("troubles of a running up", () => {
  it("are told once in a while, and when they are over", () => {
    let now = 0;
    let told = "";
    const sink = { write: (text: string) => (told += text) };
    const io = { env: {}, out: sink, err: sink, stdin: process.stdin, now: () => now, signal: new AbortController().signal };
    const tell = troubleTeller(
      cliOf(
        io,
        () => false,
        () => {},
      ),
    );
    tell(null);
    for (now = 0; now < 60_000; now += 1000) tell("Kafka is\u001b[2J away");
    tell(null);
    tell(null);
    expect(told).toBe(`${"TROUBLE Kafka is\\u001b[2J away\n".repeat(2)}The log can be reached again.\n`);
  });
});
