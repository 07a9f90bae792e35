import { messageOf } from "../../errors.ts";
import type { Channel } from "./channel.ts";
import { SendFailed } from "./channel.ts";

/** How mail goes out. */
export interface EmailOptions {
  /** smtp://host:port or smtps://host:port */
  readonly server: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly login: { readonly user: string; readonly pass: string } | undefined;
  /** required: no mail and no password without TLS. none: for a relay on the same machine. */
  readonly tls: "required" | "none";
  readonly timeoutMs: number;
}

/** Email by SMTP, as plain text. The Message-ID is the same on every attempt, so that mail systems drop a second copy. */
export function emailChannel(name: string, options: EmailOptions): Channel {
  const { server, from, to, login, tls, timeoutMs } = options;
  const { protocol, hostname, port } = new URL(server);
  const secure = protocol === "smtps:";
  // Loaded where mail is sent at all: it is large, and a start should not wait for it.
  const opened = import("nodemailer").then(({ default: nodemailer }) =>
    nodemailer.createTransport({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? (secure ? 465 : 587) : Number(port),
      secure,
      requireTLS: tls === "required" && !secure,
      ignoreTLS: tls === "none",
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      dnsTimeout: timeoutMs,
      ...(login && { auth: login }),
      // What a message is made of is text of ours: it never names a file or an address to fetch.
      disableFileAccess: true,
      disableUrlAccess: true,
    }),
  );
  opened.catch(() => {});
  return {
    name,
    type: "email",
    secrets:
      login === undefined ? [] : [login.pass, Buffer.from(`\0${login.user}\0${login.pass}`).toString("base64"), Buffer.from(login.pass).toString("base64")],
    timeoutMs,
    async send(message, { subject, lines }, signal) {
      const text = lines.map((line) => (line.url === null ? line.text : `${line.text}\n${line.url}`)).join("\n\n");
      const sending = (await opened).sendMail({
        from,
        to: [...to],
        subject,
        text: `${text}\n\n-- \nCountersign. Decisions are made there, never by answering this message.\n`,
        messageId: `<${message.id}@${from.slice(from.lastIndexOf("@") + 1)}>`,
        headers: { "Auto-Submitted": "auto-generated", "X-Countersign-Notice": message.id },
      });
      sending.catch(() => {});
      try {
        const { response, rejected } = await withSignal(sending, signal);
        const refused = rejected.length === 0 ? "" : `; not taken for ${rejected.length} of ${to.length} addresses`;
        return `${response ?? "sent"}${refused}`;
      } catch (error) {
        throw new SendFailed(messageOf(error));
      }
    },
  };
}

/** A server that says a word now and then never runs into the timeouts of a connection. */
function withSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new SendFailed("no answer: it took too long"));
    if (signal.aborted) late();
    signal.addEventListener("abort", late, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", late));
  });
}
