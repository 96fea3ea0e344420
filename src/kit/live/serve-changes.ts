import type { UserIdentity } from "../auth/identity";
import { transformer } from "../functions/transformer";
import { clientNetwork } from "../http/client-address";
import { env, onVercel } from "../process/env";
import { limits } from "../process/limits";
import { processWide, stopping } from "../process/process-wide";
import { changesSince } from "./change-log";
import { awaitChanges, isDeaf } from "./listener";

/** A stream ends after this many milliseconds where functions have a time limit. The browser then opens the next one. */
const lifetimeMs = onVercel() ? 240_000 : Number.POSITIVE_INFINITY;
/** The browser reconnects when a stream has sent nothing for this many milliseconds, not even a ping. */
const deadAfterMs = 35_000;

const headers = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache, no-transform",
  // Without this header nginx collects events before it sends them.
  "X-Accel-Buffering": "no",
  // A server that stops would wait for a connection that stays open.
  Connection: "close",
};

const streams = processWide("change streams", () => ({ open: 0, withoutAccount: 0, of: new Map<string, number>() }));

/** How many streams this process has open. */
export const openStreams = (): number => streams.open;

/**
 * Serves the subscription `_kit.changes` with the events that tRPC's httpSubscriptionLink expects. Every tab keeps one open, and
 * tRPC itself would send the events through a chain of five streams, which takes three times the memory.
 */
export function serveChanges(request: Request, identity: UserIdentity | null = null): Response {
  // Requests still arrive over connections that were open already.
  if (stopping.aborted) return refuse("The server is stopping. Try again at once.");
  if (isDeaf()) return refuse("The server receives no changes at the moment. Try again later.");
  const leave = enter(request.headers, identity);
  if (!leave) return refuse("Too many streams are open. Try again later.", 429);
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
        event({ event: "connected", data: JSON.stringify({ reconnectAfterInactivityMs: deadAfterMs }) }),
      );
    },
    // Called when the client has received the last event.
    async pull(controller) {
      const { value, done } = await changes.next();
      if (isFinished) return;
      if (done && !end.signal.aborted) {
        // Without the event `return`, the browser considers the connection lost, and tells the visitor if it stays lost.
        controller.close();
        return finish();
      }
      if (value) controller.enqueue(event({ data: transformer.stringify(value.tables), id: value.position }));
      else controller.enqueue(event({ event: "ping", data: "" }));
      if (!end.signal.aborted && Date.now() - opened < lifetimeMs) return;
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

/** Formats an event, as in the section "Server-sent events" of the HTML standard. */
const event = (fields: Record<string, string>) =>
  encoder.encode(
    `${Object.entries(fields)
      .map(([name, value]) => `${name}: ${value}\n`)
      .join("")}\n`,
  );

/** The id of the last event, in the header that `EventSource` sends when it reconnects, or in the query of a new one. */
function lastEventId({ headers, url }: Request): string | null {
  const input = new URL(url).searchParams.get("input");
  return headers.get("last-event-id") ?? (input && /"lastEventId":"([^"]*)"/.exec(input)?.[1]) ?? null;
}

/** Tabs that were opened before an update do not know names such as `files:….…`. */
const knowsScopes = ({ url }: Request): boolean =>
  new URL(url).searchParams.get("input")?.includes('"byScope":true') === true;

/** How pages learn of changes. On Vercel each stream would keep a function and the database awake. */
export function liveTransport(): "stream" | "poll" {
  if (env.LIVE_TRANSPORT !== "auto") return env.LIVE_TRANSPORT;
  return onVercel() ? "poll" : "stream";
}
