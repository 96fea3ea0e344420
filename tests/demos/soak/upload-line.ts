import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A line between a browser and a server, which a test can cut or let stall. */
export interface Line {
  origin: string;
  /** The URL to which the line leads. */
  target: string;
  /** Breaks the connection each time that this many more bytes were sent, up to `times` times. */
  breakAfter(bytes: number, how: "cut" | "stall", times?: number): void;
  /** How often that has happened. */
  breaks(): number;
  close(): Promise<void>;
}

export async function openLine(target: string): Promise<Line> {
  const sockets = new Set<Socket>();
  let every = Number.POSITIVE_INFINITY;
  let left = every;
  let rest = 0;
  let how: "cut" | "stall" = "cut";
  let breaks = 0;
  const line: Line = {
    origin: "",
    target,
    breakAfter(bytes, kind, times = 1) {
      every = bytes;
      left = bytes;
      rest = times;
      how = kind;
    },
    breaks: () => breaks,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  const server = createServer((client) => {
    const { hostname, port } = new URL(line.target);
    const upstream = connect(Number(port), hostname);
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on("data", (chunk) => {
      left -= chunk.byteLength;
      if (left < 0) {
        rest -= 1;
        left = rest > 0 ? every : Number.POSITIVE_INFINITY;
        breaks += 1;
        // A connection that stalls stays open, and nothing passes in either direction.
        client.removeAllListeners("data").pause();
        upstream.unpipe();
        return how === "cut" ? end() : undefined;
      }
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once("drain", () => client.resume());
      }
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  line.origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return line;
}
