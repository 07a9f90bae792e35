import { connect, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type OnFetched, readFetchResponse } from "./kafka-fetch.ts";

/** What a broker answered for one partition of a produce request. */
export interface Ack {
  /** Topic as Kafka knows it, with its prefix. */
  readonly topic: string;
  readonly partition: number;
  /** Kafka's error code, 0 for appended. */
  readonly errorCode: number;
  /** Offset of the first record, where it was appended. */
  readonly baseOffset: number;
}

/** What the Kafka client asks a socket factory for. */
export interface SocketRequest {
  readonly host: string;
  readonly port: number;
  readonly ssl?: ConnectionOptions;
  readonly onConnect: () => void;
}

const GIVEN_UP = "the connection was given up";
const PRODUCE = 0;
const FETCH = 1;
/** The newest fetch version that the client speaks, and every broker since 2.3; others are left to the client. */
const FETCH_VERSION = 11;

/** The sockets of one client. They can be cut at once, where the client itself would wait for answers that no longer come. */
export class Sockets {
  private readonly open = new Set<Socket>();
  private over = false;

  /** Opens a socket as the client would. */
  readonly connect = (request: SocketRequest): Socket => {
    const socket = openSocket(request);
    // A client whose group could not be joined connects again after it was told to disconnect: such a socket would keep the process alive.
    if (this.over) return socket.destroy(new Error(GIVEN_UP));
    this.open.add(socket);
    socket.once("close", () => this.open.delete(socket));
    return socket;
  };

  /** Cuts all connections, for good. The client hears of it by the error; a plain close would leave its requests hanging. */
  destroy(): void {
    this.over = true;
    for (const socket of this.open) socket.destroy(new Error(GIVEN_UP));
    this.open.clear();
  }
}

/**
 * The sockets of a producer, with an ear on what produce requests go out and what is answered. The client throws away every answer of
 * a request when one partition of it failed, and does not say whether a failed request had been sent at all; both decide between
 * "appended", "not appended" and "cannot tell".
 */
export class ProduceWire {
  /** Number of produce requests that were handed to a socket. */
  sent = 0;
  private acks: Ack[] = [];
  private readonly sockets = new Sockets();

  /** Opens a socket and listens on both ways. */
  readonly connect = (request: SocketRequest): Socket => {
    const socket = this.sockets.connect(request);
    const versions = new Map<number, number>();
    onRequest(socket, (api, version, correlation) => {
      if (api !== PRODUCE) return;
      this.sent++;
      versions.set(correlation, version);
    });
    socket.on(
      "data",
      frameReader((frame) => {
        const correlation = frame.readInt32BE(0);
        const version = versions.get(correlation);
        if (version === undefined) return;
        versions.delete(correlation);
        this.acks.push(...parseProduceResponse(frame.subarray(4), version));
      }),
    );
    return socket;
  };

  /** The answers that have come in since the last call. */
  take(): Ack[] {
    const acks = this.acks;
    this.acks = [];
    return acks;
  }

  /** Cuts all connections. */
  destroy(): void {
    this.sockets.destroy();
  }
}

/** The sockets of a consumer. What is fetched is read here, once and fast. */
export class FetchWire {
  /** True once a fetch has been read here, so that the client sees only stand-ins. */
  reading = false;
  private readonly sockets = new Sockets();
  private readonly found: OnFetched;

  constructor(found: OnFetched) {
    this.found = found;
  }

  /** Opens a socket of which the client sees shortened fetch responses. */
  readonly connect = (request: SocketRequest): Socket => {
    const socket = this.sockets.connect(request);
    const correlations = new Set<number>();
    onRequest(socket, (api, version, correlation) => {
      if (api === FETCH && version === FETCH_VERSION) correlations.add(correlation);
    });
    let toClient: ((chunk: Buffer) => void) | undefined;
    socket.on(
      "data",
      frameReader((frame) => {
        let shown = frame;
        if (correlations.delete(frame.readInt32BE(0))) {
          this.reading = true;
          shown = readFetchResponse(frame, this.found);
        }
        const length = Buffer.allocUnsafe(4);
        length.writeInt32BE(shown.length);
        toClient?.(Buffer.concat([length, shown]));
      }),
    );
    const on = socket.on as (event: string, listener: (chunk: Buffer) => void) => Socket;
    socket.on = ((event: string, listener: (chunk: Buffer) => void) => {
      if (event === "data") toClient = listener;
      else on.call(socket, event, listener);
      return socket;
    }) as Socket["on"];
    return socket;
  };

  /** Cuts all connections. */
  destroy(): void {
    this.sockets.destroy();
  }
}

/** Calls back for each request that the client writes. It hands over a whole request at a time. */
function onRequest(socket: Socket, heard: (api: number, version: number, correlation: number) => void): void {
  const write = socket.write as (...args: unknown[]) => boolean;
  socket.write = ((...args: unknown[]) => {
    const [chunk] = args;
    if (Buffer.isBuffer(chunk) && chunk.length >= 12) heard(chunk.readInt16BE(4), chunk.readInt16BE(6), chunk.readInt32BE(8));
    return write.apply(socket, args);
  }) as Socket["write"];
}

/** Opens a TCP or TLS connection without Nagle's delay. */
export function openSocket({ host, port, ssl, onConnect }: SocketRequest): Socket {
  // An IP address is no server name: Node refuses it.
  const socket = ssl ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect) : connect({ host, port }, onConnect);
  socket.setKeepAlive(true, 60_000);
  socket.setNoDelay(true);
  return socket;
}

/** Cuts a stream into length-prefixed frames. A frame that comes in pieces is put together once, as they come. */
export function frameReader(onFrame: (frame: Buffer) => void): (chunk: Buffer) => void {
  let head: Buffer = Buffer.alloc(0);
  let frame: Buffer | undefined;
  let filled = 0;
  return (incoming) => {
    let chunk = incoming;
    while (chunk.length > 0) {
      if (!frame) {
        if (head.length > 0) chunk = Buffer.concat([head, chunk]);
        head = Buffer.alloc(0);
        if (chunk.length < 4) {
          head = chunk;
          return;
        }
        frame = Buffer.allocUnsafeSlow(chunk.readInt32BE(0));
        filled = 0;
        chunk = chunk.subarray(4);
      }
      const n = chunk.copy(frame, filled);
      filled += n;
      chunk = chunk.subarray(n);
      if (filled < frame.length) return;
      const whole = frame;
      frame = undefined;
      onFrame(whole);
    }
  };
}

/** Reads the body of a produce response of version 3 to 8. Source: the Kafka protocol guide, Produce API. */
export function parseProduceResponse(body: Buffer, version: number): Ack[] {
  const acks: Ack[] = [];
  let at = 0;
  const int32 = () => body.readInt32BE((at += 4) - 4);
  const int64 = () => Number(body.readBigInt64BE((at += 8) - 8));
  for (let topics = int32(); topics > 0; topics--) {
    const length = body.readInt16BE(at);
    const topic = body.toString("utf8", at + 2, at + 2 + length);
    at += 2 + length;
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32();
      const errorCode = body.readInt16BE((at += 2) - 2);
      const baseOffset = int64();
      // Append time, and from version 5 the offset of the first record that is kept.
      at += version >= 5 ? 16 : 8;
      acks.push({ topic, partition, errorCode, baseOffset });
    }
  }
  return acks;
}
