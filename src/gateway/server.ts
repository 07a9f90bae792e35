import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { CountersignError, messageOf } from "../errors.ts";
import type { Keys } from "../local/keys.ts";
import type { SlackReviewers } from "../notify/config.ts";
import { gatewayApp } from "./app.ts";
import type { GatewayLedger, Notifications } from "./service/ledger.ts";

/** How to serve. */
export interface GatewayOptions {
  /** Default 127.0.0.1: nobody else reaches it. */
  readonly host?: string;
  /** Default 4680; 0 takes any free one. */
  readonly port?: number;
  /** The keys of local.db (`openKeys(openLocalDb(data))`). */
  readonly local: Pick<Keys, "verifyKey" | "listKeys">;
  /** What became of notices, for who asks. */
  readonly notifications?: Notifications;
  /** Who may reject in Slack. Default: nobody. */
  readonly slack?: SlackReviewers | undefined;
  /** Hears of faults. Default: one line on stderr, with the stack. */
  readonly report?: (line: string, error: unknown) => void;
}

/** A running HTTP API. */
export interface Gateway {
  readonly url: string;
  /** Answers requests that wait (as pending), lets the others end, and stops listening. */
  close(): Promise<void>;
}

/** How long requests under way may take to end when the gateway closes, in milliseconds. */
const GRACE_MS = 3000;

/**
 * Serves the HTTP API of a ledger that was started.
 *
 * @example const gateway = await startGateway(ledger, { local: openKeys(openLocalDb("./data")) });
 * @throws CountersignError unavailable when the port is taken or may not be used
 */
export async function startGateway(ledger: GatewayLedger, options: GatewayOptions): Promise<Gateway> {
  const {
    host = "127.0.0.1",
    port = 4680,
    local: keys,
    notifications,
    slack,
    report = (line, error) => process.stderr.write(`${line}\n${error instanceof Error ? `${error.stack}\n` : ""}`),
  } = options;
  const stopping = new AbortController();
  let stopped = false;
  const end = () => {
    stopped = true;
  };
  ledger.ended.then(end, end);
  const app = gatewayApp(ledger, { keys, notifications, slack, stopping: stopping.signal, stopped: () => stopped, report });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  // Requests that wait are bounded by the gateway itself.
  server.requestTimeout = 30_000;
  server.headersTimeout = 15_000;
  await listening(server, host, port);
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    close() {
      stopping.abort();
      return new Promise((resolve) => {
        const force = setTimeout(() => server.closeAllConnections(), GRACE_MS);
        // A connection whose request ends after this moment is idle and kept alive: it would hold up the end.
        const sweep = setInterval(() => server.closeIdleConnections(), 20);
        server.close(() => {
          clearTimeout(force);
          clearInterval(sweep);
          resolve();
        });
      });
    },
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === "EADDRINUSE";
      const why = taken
        ? `port ${port} on ${host} is taken`
        : cause.code === "EACCES"
          ? `port ${port} on ${host} may not be used by this user`
          : messageOf(cause);
      reject(
        new CountersignError("unavailable", `The gateway cannot listen: ${why}`, {
          cause,
          field: "port",
          value: port,
          fix: taken ? "choose another with --port, or stop what uses it" : "choose another --port or --host",
        }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}
