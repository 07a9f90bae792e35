import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Sockets } from "../../src/log/kafka-wire.ts";

test("once a client's connections are given up, those that it has are cut and it gets no other", async () => {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const sockets = new Sockets();
  const open = () => sockets.connect({ host: "127.0.0.1", port, onConnect: () => {} });
  const gone = (socket: ReturnType<typeof open>) => new Promise<string>((resolve) => socket.once("error", (error) => resolve(error.message)));
  const first = open();
  await new Promise((resolve) => first.once("connect", resolve));
  const cut = gone(first);
  sockets.destroy();
  expect(await cut).toBe("the connection was given up");
  // As the Kafka client does when it was joining a group as it was told to disconnect.
  const late = open();
  expect(await gone(late)).toBe("the connection was given up");
  expect([late.destroyed, accepted]).toEqual([true, 1]);
});
