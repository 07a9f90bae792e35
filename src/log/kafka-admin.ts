import { setTimeout as sleep } from "node:timers/promises";
import { CountersignError } from "../errors.ts";
import { errorOf, isSettling } from "./kafka-errors.ts";
import type { TopicAdmin } from "./kafka-topics.ts";
import { Sockets } from "./kafka-wire.ts";

/** What is used of the Kafka client's admin. */
export interface AdminClient extends TopicAdmin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  fetchTopicOffsets(topic: string): Promise<{ partition: number; low: string; high: string }[]>;
  deleteGroups(groups: string[]): Promise<unknown>;
}

/** The admin client: connected when it is first needed, anew after a failure. */
export class Admin {
  private readonly create: (sockets: Sockets) => AdminClient;
  private current: { sockets: Sockets; admin: AdminClient; connected: Promise<void> } | undefined;
  private closed = false;

  constructor(create: (sockets: Sockets) => AdminClient) {
    this.create = create;
  }

  /** Does something with it; what fails is said in our words. Elections, and topics that were just made, are waited for. */
  async run<T>(work: (admin: AdminClient) => Promise<T>, settleMs = 3000): Promise<T> {
    const began = Date.now();
    for (let tries = 1; ; tries++) {
      if (this.closed) throw new CountersignError("log_closed", "The log is closed");
      const client = this.open();
      try {
        await client.connected;
        return await work(client.admin);
      } catch (error) {
        if (error instanceof CountersignError) throw error;
        const ours = errorOf(error);
        const settling = isSettling(error);
        if (!settling && this.current === client) await this.drop();
        if (!ours.retryable || (settling ? Date.now() - began > settleMs : tries > 1)) throw ours;
        await sleep(Math.min(500, 25 * 2 ** tries));
      }
    }
  }

  /** For good: what is still being tried again fails, instead of making a client that nobody closes. */
  async close(): Promise<void> {
    this.closed = true;
    await this.drop();
  }

  private async drop(): Promise<void> {
    const old = this.current;
    this.current = undefined;
    if (!old) return;
    const cut = setTimeout(() => old.sockets.destroy(), 500);
    await old.connected.then(() => old.admin.disconnect()).catch(() => undefined);
    clearTimeout(cut);
    old.sockets.destroy();
  }

  private open() {
    if (this.current) return this.current;
    const sockets = new Sockets();
    const admin = this.create(sockets);
    const connected = admin.connect();
    connected.catch(() => undefined);
    this.current = { sockets, admin, connected };
    return this.current;
  }
}
