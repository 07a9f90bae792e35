/** A thread of an export: makes the rows of the partitions that it is given. */
import { parentPort, workerData } from "node:worker_threads";
import { CountersignError, messageOf } from "../errors.ts";
import type { Message, Reply, ThreadError } from "./crew.ts";
import { asFault } from "./temporary.ts";
import { type Request, Workshop } from "./work.ts";

let shop: Workshop;

parentPort?.on("message", (message: Message) => {
  if ("begin" in message) shop = new Workshop(message.begin, () => workerData as string);
  else parentPort?.postMessage(replyTo(message));
});

function replyTo(request: Request): Reply {
  try {
    return { result: shop.answer(request) };
  } catch (error) {
    return { error: sent(asFault(error)) };
  }
}

/** Errors lose their class between threads. */
function sent(error: unknown): ThreadError {
  if (!(error instanceof CountersignError)) return { message: messageOf(error) };
  const { message, code, field, fix } = error;
  return { message, code, ...(field !== undefined && { field }), ...(fix !== undefined && { fix }) };
}
