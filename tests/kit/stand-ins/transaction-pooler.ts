import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/**
 * Stands in front of a PostgreSQL as a transaction pooler does as far as notifications go: it delivers none. Returns the
 * URL to connect to, and what closes all connections.
 */
export async function startTransactionPooler(databaseUrl: string) {
  const { hostname, port } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const database = connect(Number(port), hostname);
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    }
    client.pipe(database);
    database
      .on(
        "data",
        withoutNotifications((message) => client.write(message)),
      )
      .on("end", () => client.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The pooler does not listen");
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${address.port}`;
  const closeConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    closeConnections,
    stop() {
      server.close();
      closeConnections();
    },
  };
}

/** A message of PostgreSQL consists of a letter, its length in four bytes (which the length includes), and its content. */
function withoutNotifications(forward: (message: Buffer) => void) {
  let received = Buffer.alloc(0);
  return (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    for (let end = endOf(received); end <= received.length; end = endOf(received)) {
      if (received[0] !== "A".charCodeAt(0)) forward(received.subarray(0, end));
      received = received.subarray(end);
    }
  };
}

const endOf = (received: Buffer) => (received.length < 5 ? Number.POSITIVE_INFINITY : 1 + received.readUInt32BE(1));
