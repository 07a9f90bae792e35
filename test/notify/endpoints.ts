import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

/** A request as an endpoint got it. */
export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** How an endpoint answers: a status with a body, or whatever the function does with the response. */
export type Manner =
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  | ((response: ServerResponse, got: Got) => void);

/** A real HTTP endpoint on this machine. */
export interface Endpoint {
  readonly url: string;
  readonly got: Got[];
  /** Answers the next requests so, one after the other; the last manner stays. */
  answer(...manners: Manner[]): void;
  /** Resolves once so many requests have come. */
  seen(n: number, withinMs?: number): Promise<readonly Got[]>;
  close(): Promise<void>;
}

/** Never answers. */
export const SILENT: Manner = () => {};
/** Ends the connection in the middle. */
export const BROKEN: Manner = (response) => void response.destroy();

/** Takes a message as Slack's chat.postMessage does: the answer holds the whole message, with an id for each block that has none. */
export const SLACK: Manner = (response, { body }) => {
  const { channel, text, blocks } = JSON.parse(body) as { channel: string; text: string; blocks: object[] };
  const message = { type: "message", subtype: "bot_message", ts: "17.1", text, blocks: blocks.map((block, i) => ({ block_id: `b${i}`, ...block })) };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ok: true, channel, ts: "17.1", message }));
};

export async function endpoint(...first: Manner[]): Promise<Endpoint> {
  let manners: Manner[] = first.length > 0 ? first : [{ status: 200, body: "ok" }];
  const got: Got[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      const asked = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body };
      got.push(asked);
      const manner = (manners.length > 1 ? manners.shift() : manners[0]) as Manner;
      if (typeof manner === "function") manner(response, asked);
      else response.writeHead(manner.status, manner.headers).end(manner.body ?? "");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    answer(...next) {
      manners = next;
    },
    seen: (n, withinMs = 10_000) =>
      until(
        () => (got.length >= n ? got : undefined),
        withinMs,
        () => `${got.length} of ${n} requests came`,
      ),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A mail that was taken. */
export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly secure: boolean;
}

/** A real SMTP server on this machine. */
export async function mailServer(options: SMTPServerOptions = {}): Promise<{ port: number; mails: Mail[]; close(): Promise<void> }> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    logger: false,
    onData(stream, session, done) {
      let text = "";
      stream.on("data", (part: Buffer) => {
        text += part.toString("utf8");
      });
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({ from: mailFrom === false ? "" : mailFrom.address, to: rcptTo.map(({ address }) => address), text, secure: session.secure });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => {});
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  return { port: (server.server.address() as AddressInfo).port, mails, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** Waits for something. */
export async function until<T>(
  test: () => T | undefined | Promise<T | undefined>,
  withinMs = 10_000,
  why: () => string = () => "it did not happen",
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await test();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`after ${withinMs} ms: ${why()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
