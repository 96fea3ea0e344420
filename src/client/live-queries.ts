import type { Query, QueryClient } from "@tanstack/react-query";
import type { TRPCClient } from "@trpc/client";
import type { AppRouter } from "~/functions";
import { hasRead } from "./reads";

/** Milliseconds before a stream that is down is worth a word. */
const patience = 1_000;
/** Milliseconds that an attempt to open it may take, and that pass before the next: doubled each time, up to the last. */
const attempt = { first: 2_000, last: 30_000 };
const pause = { first: 500, last: 5_000 };
/** Milliseconds between two looks at the clock, and by how much it jumps when the machine has slept. */
const tick = 1_000;
const sleep = 3_000;

/**
 * Keeps the queries of a tab up to date: hears over one stream which tables change, and asks again for those queries on
 * screen that read them. The stream is open while the page is seen; when it opens again it catches up on what was missed.
 */
export function createLiveQueries(queryClient: QueryClient, client: TRPCClient<AppRouter>) {
  /** How far the stream has told what changed. */
  let position: string | null = null;
  let stream: { unsubscribe(): void } | null = null;
  let isDown = false;
  /** Whether the connection may have broken since the stream was up. */
  let wasLost = false;
  let failures = 0;
  /** Until the attempt under way has failed, or until the next. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let complaint: ReturnType<typeof setTimeout> | undefined;
  const subscribers = new Set<() => void>();

  function open() {
    close();
    if (document.visibilityState === "hidden") return;
    stream = client._kit.changes.subscribe(position === null ? {} : { lastEventId: position }, {
      onData({ id, data: tables }) {
        position = id;
        refresh(queryClient, (path) => tables === null || hasRead(path, tables));
      },
      onConnectionStateChange({ state, error }) {
        if (state === "pending") up();
        else if (error) down();
      },
      onError: down,
      // As the server does before its host would.
      onStopped: down,
    });
    // It may wait for ever, where the browser takes a connection that is dead.
    timer = setTimeout(down, Math.min(attempt.last, attempt.first * 2 ** failures));
  }

  function close() {
    clearTimeout(timer);
    stream?.unsubscribe();
    stream = null;
  }

  function up() {
    clearTimeout(timer);
    failures = 0;
    say(false);
    // Though nothing changed, what failed meanwhile is worth another attempt; and so is what has no answer yet, which may
    // have been lost with the connection.
    const isLost = ({ state }: Query) => wasLost && state.fetchStatus === "fetching";
    refresh(
      queryClient,
      (_path, query) => isLost(query) || query.state.status === "error" || query.state.isInvalidated,
      isLost,
    );
    wasLost = false;
  }

  function down() {
    close();
    wasLost = true;
    complaint ??= setTimeout(say, patience, true);
    // By chance, so that not all tabs come at once to a server that has just started.
    timer = setTimeout(open, Math.random() * Math.min(pause.last, pause.first * 2 ** failures));
    failures += 1;
  }

  /** After a sleep, in which the connection may have died without either end knowing. */
  function wake() {
    wasLost = true;
    open();
  }

  function say(next: boolean) {
    clearTimeout(complaint);
    complaint = undefined;
    if (isDown === next) return;
    isDown = next;
    for (const subscriber of subscribers) subscriber();
  }

  return {
    /** Whether changes do not reach this tab at the moment. */
    getSnapshot: () => isDown,

    subscribe(subscriber: () => void) {
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },

    /** Catches up what the server rendered, when changes were at `rendered`. */
    catchUp(rendered: string | null) {
      if (stream === null) position ??= rendered;
      else if (rendered !== position) refresh(queryClient, () => true);
    },

    /** Returns what stops it. */
    start() {
      let now = Date.now();
      const clock = setInterval(() => {
        const before = now;
        now = Date.now();
        if (now - before > tick + sleep) wake();
      }, tick);
      document.addEventListener("visibilitychange", open);
      window.addEventListener("online", open);
      window.addEventListener("offline", down);
      open();
      return () => {
        clearInterval(clock);
        clearTimeout(complaint);
        document.removeEventListener("visibilitychange", open);
        window.removeEventListener("online", open);
        window.removeEventListener("offline", down);
        close();
      };
    },
  };
}

/** Marks what it applies to as out of date, and asks again for what of it is on screen. */
function refresh(
  queryClient: QueryClient,
  applies: (path: string, query: Query) => boolean,
  isLost: (query: Query) => boolean = () => false,
) {
  for (const query of queryClient.getQueryCache().getAll()) {
    const path = pathOf(query);
    if (path !== null && applies(path, query)) void refetch(queryClient, query, isLost(query));
  }
}

async function refetch(queryClient: QueryClient, query: Query, isLost: boolean) {
  // An answer under way may be from before the change. It is awaited rather than given up, or a steady stream of changes
  // would let none come through; those that come meanwhile lead to one request together. One that is lost, or that failed
  // and is going to be asked for again some time, is given up.
  const cancelRefetch = isLost || query.state.fetchFailureCount > 0;
  if (!cancelRefetch) await query.promise?.catch(() => undefined);
  await queryClient.invalidateQueries({ queryKey: query.queryKey, exact: true }, { cancelRefetch });
}

/** `messages.list` of a server function; `null` of what is not live. What reads elsewhere is when its `meta` says so. */
function pathOf({ queryKey: [path], queryHash, meta }: Query): string | null {
  if (Array.isArray(path)) return path.join(".");
  return meta?.isLive ? queryHash : null;
}
