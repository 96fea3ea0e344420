import { once } from "node:events";
import { createServer, request } from "node:http";

interface Front {
  stop(): Promise<void>;
}

/**
 * A proxy like those of hosts: it spreads requests over an app's processes in turn. It answers requests with a body of more
 * than `maxBody` bytes itself, without reading them.
 */
export async function startFront(at: string, targets: string[], maxBody = Number.POSITIVE_INFINITY): Promise<Front> {
  let turn = 0;
  const server = createServer((incoming, answer) => {
    if (Number(incoming.headers["content-length"] ?? 0) > maxBody) {
      answer.writeHead(413, { "Content-Type": "text/html", Connection: "close" }).end("<h1>Too large</h1>");
      return;
    }
    turn = (turn + 1) % targets.length;
    const { method, headers } = incoming;
    const outgoing = request(new URL(incoming.url ?? "/", targets[turn]), { method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
      answer.once("close", () => response.destroy());
    });
    outgoing.once("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
    answer.once("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(Number(new URL(at).port));
  await once(server, "listening");
  return {
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
