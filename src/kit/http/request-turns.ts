import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { sessionOf } from "../process/places";

type Start = () => void;

/**
 * Lets one request begin in each turn of the event loop, in turns by session. To begin a request costs a millisecond or two
 * before anything knows what it wants: a sender with many connections would put as much of that before each step of
 * everybody else's requests. What waits here has been read no further than its headers.
 */
export function startInTurns(server: Server): void {
  const handlers = server.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[];
  server.removeAllListeners("request");
  const lines = new Map<string, Start[]>();

  function turn(): void {
    const [[session, line] = ["", []]] = lines;
    line.shift()?.();
    lines.delete(session);
    // Behind all others, who come first next time.
    if (line.length > 0) lines.set(session, line);
    if (lines.size > 0) setImmediate(turn);
  }

  server.on("request", (request, response) => {
    const start = () => {
      if (request.socket.destroyed) return;
      for (const handle of handlers) handle.call(server, request, response);
    };
    const session = sessionOf(request.headers.cookie, request.headers.authorization);
    if (lines.size === 0) setImmediate(turn);
    const line = lines.get(session) ?? [];
    line.push(start);
    lines.set(session, line);
  });
}
