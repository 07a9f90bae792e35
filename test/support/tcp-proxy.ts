import { connect, createServer, type Socket } from "node:net";

/** What to do with the next produce request that comes through. */
export type Fault =
  /** Give it to the broker, and cut the connection when the answer comes. */
  | "lose answer"
  /** Keep it from the broker, and cut the connection. */
  | "lose request"
  /** Give it to the broker, and never let the answer through. */
  | "stall answer";

/** A proxy in front of a broker that can do harm. */
export interface TcpProxy {
  readonly port: number;
  /** Does it to the next produce request, once. */
  next(fault: Fault): void;
  /** Cuts every connection. */
  cut(): void;
  /** While true nobody listens and nothing is connected, as when the broker is down. */
  refuse(on: boolean): Promise<void>;
  /** While true nothing goes through either way, but connections stay. */
  stall(on: boolean): void;
  /** Connections that are open. */
  connections(): number;
  close(): Promise<void>;
}

const PRODUCE = 0;

/** Starts a proxy that forwards both ways. The broker must be told to advertise the proxy's port. */
export async function startProxy(targetPort: () => number): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>();
  let fault: Fault | undefined;
  let stalled = false;

  const server = createServer((client) => {
    const broker = connect(targetPort(), "127.0.0.1");
    const pair: [Socket, Socket] = [client, broker];
    pairs.add(pair);
    let harmed: Fault | undefined;
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      broker.destroy();
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    // Nothing is taken before it can be passed on.
    client.pause();
    broker.once("connect", () => stalled || client.resume());
    client.on("data", (chunk) => {
      if (fault && chunk.length >= 6 && chunk.readInt16BE(4) === PRODUCE) {
        harmed = fault;
        fault = undefined;
        if (harmed === "lose request") return end();
      }
      if (!stalled) broker.write(chunk);
    });
    broker.on("data", (chunk) => {
      if (harmed === "lose answer") return end();
      if (!stalled && harmed !== "stall answer") client.write(chunk);
    });
    if (stalled) broker.pause();
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as { port: number };

  const cut = () => {
    for (const [client, broker] of pairs) {
      client.destroy();
      broker.destroy();
    }
  };
  return {
    port,
    next: (f) => void (fault = f),
    cut,
    refuse: async (on) => {
      if (on === !server.listening) return;
      if (!on) return listen(port);
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
    stall: (on) => {
      stalled = on;
      for (const pair of pairs) for (const socket of pair) on ? socket.pause() : socket.resume();
    },
    connections: () => pairs.size,
    close: async () => {
      cut();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
