import type { UserIdentity } from "../auth/identity";
import { transformer } from "../functions/transformer";
import { clientNetwork } from "../http/client-address";
import { env, onVercel } from "../process/env";
import { limits } from "../process/limits";
import { processWide, stopping } from "../process/process-wide";
import { changesSince } from "./change-log";
import { awaitChanges, isDeaf } from "./listener";

/** Milliseconds a stream lasts where functions have a time limit; the browser then opens the next. */
const lifetime = onVercel() ? 240_000 : Number.POSITIVE_INFINITY;
/** Milliseconds after which the browser takes a stream that is silent, without even pings, for dead. */
const deadAfter = 35_000;

const headers = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache, no-transform",
  // Or nginx would collect events before it sends them.
  "X-Accel-Buffering": "no",
  // Not worth keeping when the stream has ended; a server that stops would wait for it.
  Connection: "close",
};

const streams = processWide("change streams", () => ({ open: 0, withoutAccount: 0, of: new Map<string, number>() }));

/**
 * Serves the subscription `_kit.changes` with the events that tRPC's httpSubscriptionLink expects. tRPC itself would send
 * them through a chain of five streams, which takes three times the memory, for what every tab keeps open.
 */
export function serveChanges(request: Request, identity: UserIdentity | null = null): Response {
  // Over a connection that was open already, requests still come.
  if (stopping.aborted) return refuse("The server is stopping; try again at once");
  if (isDeaf()) return refuse("The server does not hear of changes now; try again later");
  const leave = enter(request.headers, identity);
  if (!leave) return refuse("Too many streams are open; try again later", 429);
  const end = new AbortController();
  const stop = () => end.abort();
  const rest = awaitChanges();
  stopping.addEventListener("abort", stop);
  const changes = changesSince(lastEventId(request), end.signal, knowsScopes(request));
  const opened = Date.now();
  let isFinished = false;
  const finish = () => {
    if (!isFinished) rest();
    isFinished = true;
    leave();
    stopping.removeEventListener("abort", stop);
    stop();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(
        event({ event: "connected", data: JSON.stringify({ reconnectAfterInactivityMs: deadAfter }) }),
      );
    },
    // Called when the client has taken the event before.
    async pull(controller) {
      const { value, done } = await changes.next();
      if (isFinished) return;
      if (done && !end.signal.aborted) {
        // Without the word that it ended: the browser takes the connection for lost, and says so when it stays so.
        controller.close();
        return finish();
      }
      if (value) controller.enqueue(event({ data: transformer.stringify(value.tables), id: value.position }));
      else controller.enqueue(event({ event: "ping", data: "" }));
      if (!end.signal.aborted && Date.now() - opened < lifetime) return;
      controller.enqueue(event({ event: "return", data: "" }));
      controller.close();
      finish();
    },
    cancel: finish,
  });
  return new Response(body, { headers });
}

const refuse = (reason: string, status = 503) =>
  new Response(reason, { status, headers: { Connection: "close", "Cache-Control": "no-store" } });

/**
 * Takes places for a stream: one among all, one of its identity's and one of its network's, where those are known. Returns
 * a function that gives them back, or `null` where one is missing. Some places are reserved for accounts.
 */
function enter(headers: Headers, identity: UserIdentity | null): (() => void) | null {
  const network = clientNetwork(headers);
  const counted: [string, number][] = [
    ...(identity ? [[`identity ${identity.tokenIdentifier}`, limits.streamsOfIdentity] as [string, number]] : []),
    ...(network ? [[`network ${network}`, limits.streamsOfNetwork] as [string, number]] : []),
  ];
  const hasAccount = identity !== null && !identity.isAnonymous;
  if (streams.open >= limits.streams) return null;
  if (!hasAccount && streams.withoutAccount >= limits.streamsWithoutAccount) return null;
  if (counted.some(([who, most]) => (streams.of.get(who) ?? 0) >= most)) return null;
  const count = (change: 1 | -1) => {
    streams.open += change;
    if (!hasAccount) streams.withoutAccount += change;
    for (const [who] of counted) {
      const open = (streams.of.get(who) ?? 0) + change;
      if (open > 0) streams.of.set(who, open);
      else streams.of.delete(who);
    }
  };
  count(1);
  let isIn = true;
  return () => {
    if (isIn) count(-1);
    isIn = false;
  };
}

const encoder = new TextEncoder();

/** As the HTML standard has them, in section "Server-sent events". */
const event = (fields: Record<string, string>) =>
  encoder.encode(
    `${Object.entries(fields)
      .map(([name, value]) => `${name}: ${value}\n`)
      .join("")}\n`,
  );

/** As `EventSource` sends it when it connects again, or the query string of a new one. */
function lastEventId({ headers, url }: Request): string | null {
  const input = new URL(url).searchParams.get("input");
  return headers.get("last-event-id") ?? (input && /"lastEventId":"([^"]*)"/.exec(input)?.[1]) ?? null;
}

/** Tabs that were opened before an update do not know names such as `files:….…`. */
const knowsScopes = ({ url }: Request): boolean =>
  new URL(url).searchParams.get("input")?.includes('"byScope":true') === true;

/** How pages hear of changes: on Vercel each stream would keep a function, and with it the database, awake. */
export function liveTransport(): "stream" | "poll" {
  if (env.LIVE_TRANSPORT !== "auto") return env.LIVE_TRANSPORT;
  return onVercel() ? "poll" : "stream";
}
