import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/**
 * Passes connections on to `target` until it falls silent. From then on, an open stream of events stays open but carries
 * nothing, as when a machine has slept and the network has forgotten the connection. Other open connections end. New ones
 * work.
 */
export async function startSilentProxy(at: string, target: string) {
  const sockets = new Set<Socket>();
  const streams = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(target).port), "localhost");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    }
    upstream.on("data", (bytes) => {
      if (bytes.includes("text/event-stream")) streams.add(client).add(upstream);
    });
    client.pipe(upstream).pipe(client);
  }).listen(Number(new URL(at).port));
  await once(server, "listening");
  return {
    fallSilent() {
      for (const socket of sockets) {
        if (streams.has(socket)) socket.unpipe().pause();
        else socket.destroy();
      }
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
