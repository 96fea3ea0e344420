import { EventEmitter, once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface ReceivedMail {
  from: string;
  to: string;
  subject: string;
  text: string;
  /** The first link in the text. */
  link: string;
}

/** An SMTP server on loopback that keeps what it is sent (RFC 5321). */
export interface SmtpStandIn {
  url: string;
  mails: ReceivedMail[];
  /** Answers to the next mails instead of accepting them, for example `451 Later`. */
  refusals: string[];
  /** The next mail to this address that no caller has received yet. */
  mailTo(address: string): Promise<ReceivedMail>;
  stop(): Promise<void>;
}

export async function startSmtp(): Promise<SmtpStandIn> {
  const mails: ReceivedMail[] = [];
  const refusals: string[] = [];
  const read = new Set<ReceivedMail>();
  const arrivals = new EventEmitter();

  async function converse(socket: Socket): Promise<void> {
    const say = (line: string) => socket.write(`${line}\r\n`);
    say("220 stand-in");
    const envelope = { from: "", to: "" };
    let data: string[] | null = null;
    for await (const line of createInterface(socket)) {
      if (data && line !== ".") data.push(line.replace(/^\./, ""));
      else if (data) {
        mails.push(parse(envelope, data));
        data = null;
        say("250 OK");
        arrivals.emit("mail");
      } else if (/^EHLO/i.test(line)) say("250 stand-in");
      else if (/^MAIL FROM:/i.test(line)) {
        envelope.from = addressIn(line);
        say(refusals.shift() ?? "250 OK");
      } else if (/^RCPT TO:/i.test(line)) {
        envelope.to = addressIn(line);
        say("250 OK");
      } else if (/^DATA/i.test(line)) {
        data = [];
        say("354 Go on");
      } else if (/^QUIT/i.test(line)) {
        say("221 Bye");
        socket.end();
      } else say("250 OK");
    }
  }

  const server = createServer((socket) => void converse(socket).catch(() => socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The stand-in has no port");
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    mails,
    refusals,
    async mailTo(to) {
      for (;;) {
        const found = mails.find((mail) => mail.to === to && !read.has(mail));
        if (found) {
          read.add(found);
          return found;
        }
        await once(arrivals, "mail", { signal: AbortSignal.timeout(15_000) });
      }
    },
    async stop() {
      server.close();
      await once(server, "close");
    },
  };
}

const addressIn = (line: string) => /<(.*)>/.exec(line)?.[1] ?? "";

function parse(envelope: { from: string; to: string }, lines: string[]): ReceivedMail {
  const end = lines.indexOf("");
  const headers = lines
    .slice(0, end)
    .join("\n")
    .replaceAll(/\n[ \t]+/g, " ");
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(headers)?.[1] ?? "";
  const body = lines.slice(end + 1).join("\n");
  const text =
    header("Content-Transfer-Encoding") === "quoted-printable"
      ? body
          .replaceAll("=\n", "")
          .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      : body;
  return { ...envelope, subject: header("Subject"), text, link: /https?:\/\/\S+/.exec(text)?.[0] ?? "" };
}
