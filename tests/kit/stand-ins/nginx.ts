import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Whether nginx is installed, as Debian's package `nginx` does. */
export const hasNginx = !spawnSync("nginx", ["-v"]).error;

/**
 * nginx as it is by default, which buffers answers, in front of servers that come and go.
 *
 * @param pick the origin of a server that is up, asked for each connection
 * @param more lines for its location
 * @returns the origin of nginx
 */
export async function startNginx(pick: () => Promise<string>, more = "") {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    return socket;
  };
  // nginx has a fixed list of servers, so it has one address that leads to any of them.
  const front = createServer(async (client) => {
    keep(client).pause();
    const origin = await pick().catch(() => null);
    if (origin === null || client.destroyed) return client.destroy();
    const server = keep(connect(Number(new URL(origin).port), "127.0.0.1"));
    server.on("close", () => client.destroy());
    client.on("close", () => server.destroy());
    client.pipe(server).pipe(client);
  }).listen(0, "127.0.0.1");
  await once(front, "listening");

  const listen = await freePort();
  const version = /proxy_http_version/.test(more) ? "" : "proxy_http_version 1.1;";
  const nginx = await runNginx(
    `server {
    listen 127.0.0.1:${listen};
    location / { proxy_pass http://127.0.0.1:${portOf(front)}; ${version} proxy_set_header Connection ""; ${more} }
  }`,
    listen,
  );
  return {
    origin: `http://127.0.0.1:${listen}`,
    async stop() {
      await nginx.stop();
      front.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/**
 * nginx with this configuration, in the context `http`.
 *
 * @param listen a port that the configuration listens on
 */
export async function runNginx(servers: string, listen: number) {
  const folder = await mkdtemp(join(tmpdir(), "nginx-"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  const configuration = `
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${join(folder, "pid")};
error_log stderr crit;
worker_processes 1;
events { worker_connections 2048; }
http {
  access_log off;
  ${temporary.join("\n  ")}
  ${servers}
}
`;
  await writeFile(join(folder, "nginx.conf"), configuration);
  const child = spawn("nginx", ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")], { stdio: "ignore" });
  while (!(await isListening(listen))) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    await pause(50);
  }
  return {
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(folder, { recursive: true });
    },
  };
}

function portOf(server: ReturnType<typeof createServer>): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const isUp = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return isUp;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  return port;
}
