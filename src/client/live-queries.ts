import type { Query, QueryClient } from "@tanstack/react-query";
import type { TRPCClient } from "@trpc/client";
import type { AppRouter } from "~/functions";
import { hasRead } from "./reads";
import { refresh } from "./refresh";
import { type Leave, takePlace } from "./stream-place";

/** Milliseconds before a stream that is down is worth a word. */
const patience = 1_000;
/** Milliseconds that an attempt to open it may take, and that pass before the next: doubled each time, up to the last. */
const attempt = { first: 2_000, last: 30_000 };
const pause = { first: 500, last: 5_000 };
/** Milliseconds between two looks at everything, by a tab that is not to have a stream. */
const look = 5_000;
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
  /** While this tab has a place. */
  let leave: Leave | null = null;
  /** Counts openings and closings: one that waited for a place may have been overtaken. */
  let turn = 0;
  let isDown = false;
  /** Whether the connection may have broken since the stream was up. */
  let wasLost = false;
  let failures = 0;
  /** Until the attempt under way has failed, or until the next. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let complaint: ReturnType<typeof setTimeout> | undefined;
  const subscribers = new Set<() => void>();

  async function open() {
    close();
    if (document.visibilityState === "hidden") return giveWay();
    const thisTurn = turn;
    const place = leave ?? (await takePlace());
    if (thisTurn !== turn) return place?.();
    leave = place;
    if (!leave) {
      refresh(queryClient, () => true);
      timer = setTimeout(open, look);
      return;
    }
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
    turn += 1;
    clearTimeout(timer);
    stream?.unsubscribe();
    stream = null;
  }

  /** To another tab, which may be seen. */
  function giveWay() {
    leave?.();
    leave = null;
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
    void open();
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
      void open();
      return () => {
        clearInterval(clock);
        clearTimeout(complaint);
        document.removeEventListener("visibilitychange", open);
        window.removeEventListener("online", open);
        window.removeEventListener("offline", down);
        close();
        giveWay();
      };
    },
  };
}
