import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/**
 * Passes connections on to `target`, until it falls silent: those that are open then stay so, and carry nothing any
 * more, as when a machine has slept and the network has forgotten it. New ones work.
 */
export async function startSilentProxy(at: string, target: string) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(target).port), "localhost");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  }).listen(Number(new URL(at).port));
  await once(server, "listening");
  return {
    /** How many are open. */
    connections: () => sockets.size / 2,

    fallSilent() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
