import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawResponse {
  status: number;
  headers: Headers;
  body: Buffer;
}

/** A connection on which a test writes what it likes, and reads responses as they come. */
export interface RawClient {
  socket: Socket;
  write(data: string | Uint8Array): void;
  /** The next response, whole. Rejects when the connection ends before. */
  response(method?: string): Promise<RawResponse>;
  /** Everything that arrives until the connection ends or breaks. */
  rest(): Promise<Buffer>;
  close(): void;
}

export async function dial(port: number): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  let pieces: Buffer[] = [];
  let size = 0;
  let ended = false;
  let wake: () => void = () => undefined;
  socket.on("data", (chunk) => {
    pieces.push(chunk);
    size += chunk.byteLength;
    wake();
  });
  const end = () => {
    ended = true;
    wake();
  };
  // A reset counts as an end. The test says whether a reset is allowed.
  socket.on("end", end).on("close", end).on("error", end);

  const more = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
      if (ended) resolve();
    });

  const received = () => {
    pieces = [Buffer.concat(pieces)];
    return pieces[0] ?? Buffer.alloc(0);
  };

  async function take(count: number): Promise<Buffer> {
    while (size < count) {
      if (ended) throw new Error(`The connection ended after ${size} of ${count} bytes`);
      await more();
    }
    const all = received();
    pieces = [all.subarray(count)];
    size -= count;
    return all.subarray(0, count);
  }

  async function takeThrough(mark: string): Promise<string> {
    for (;;) {
      const at = received().indexOf(mark);
      if (at >= 0) return (await take(at + mark.length)).toString("latin1");
      if (ended) throw new Error(`The connection ended after ${JSON.stringify(received().toString("latin1"))}`);
      await more();
    }
  }

  async function takeChunks(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const count = Number.parseInt(await takeThrough("\r\n"), 16);
      chunks.push(await take(count));
      await takeThrough("\r\n");
      if (count === 0) return Buffer.concat(chunks);
    }
  }

  return {
    socket,
    write: (data) => void socket.write(data),
    async response(method = "GET") {
      const [statusLine = "", ...lines] = (await takeThrough("\r\n\r\n")).trimEnd().split("\r\n");
      const headers = new Headers(lines.map((line) => line.split(/: (.*)/s, 2) as [string, string]));
      const status = Number(statusLine.split(" ")[1]);
      const bodiless = method === "HEAD" || status < 200 || status === 204 || status === 304;
      const chunked = headers.get("transfer-encoding") === "chunked";
      const length = bodiless ? 0 : Number(headers.get("content-length") ?? 0);
      return { status, headers, body: chunked && !bodiless ? await takeChunks() : await take(length) };
    },
    async rest() {
      while (!ended) await more();
      return received();
    },
    close: () => void socket.destroy(),
  };
}
