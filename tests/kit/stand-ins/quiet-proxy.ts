import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/**
 * Stands between an app and its PostgreSQL like a network. When it falls silent, it accepts connections and keeps the
 * existing ones, but passes nothing through any more.
 *
 * @param rewrite changes the start-up message, as a pooler may
 */
export async function startQuietProxy(databaseUrl: string, rewrite = (startup: Buffer) => startup) {
  const { hostname, port } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer((client) => {
    const database = connect(Number(port), hostname);
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    }
    let isFirst = true;
    client.on("data", (bytes) => {
      if (isSilent) return;
      database.write(isFirst ? rewrite(bytes) : bytes);
      isFirst = false;
    });
    database.on("data", (bytes) => isSilent || client.write(bytes)).on("end", () => client.end());
    client.on("close", () => database.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The proxy does not listen");
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${address.port}`;
  return {
    url: url.href,
    fallSilent: () => {
      isSilent = true;
    },
    speakAgain: () => {
      isSilent = false;
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Removes a parameter from the start-up message, as some poolers do. */
export function withoutParameter(name: string) {
  return (startup: Buffer): Buffer => {
    const [head, ...fields] = [startup.subarray(0, 8), ...startup.subarray(8).toString("latin1").split("\0")];
    const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
    if (at < 0) return startup;
    fields.splice(at, 2);
    const body = Buffer.from(fields.join("\0"), "latin1");
    const message = Buffer.concat([head, body]);
    message.writeUInt32BE(message.byteLength);
    return message;
  };
}
