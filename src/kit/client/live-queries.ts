"use client";

import type { Query, QueryClient } from "@tanstack/react-query";
import type { TRPCClient, TRPCLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { observable } from "@trpc/server/observable";
import { createContext, useContext, useEffect, useSyncExternalStore } from "react";
import type { KitRouter } from "../functions/router";
import { type Leave, takePlace } from "./tab-locks";

const showReconnectingAfterMs = 1_000;
/**
 * Milliseconds that an attempt to open the stream may take, and that pass between attempts. Both double each time, up to
 * `last`.
 */
const attempt = { first: 2_000, last: 30_000 };
const pause = { first: 500, last: 5_000 };
/** How often a tab without a stream refetches everything. */
const pollIntervalMs = 5_000;
/** Failed attempts to open a stream before the tab polls: a proxy may hold streams back. */
const maxStreamFailures = 2;
/** A tab without a stream stops polling after this long without input. */
const idleAfterMs = 5 * 60_000;
/** Changes that this tab makes within this time lead to one refetch. */
const burstMs = 100;
const touches = ["pointermove", "pointerdown", "keydown", "focus"] as const;

/** How a tab learns of changes: over a stream, or by polling. */
export type LiveTransport = "stream" | "poll";
/** A clock that is checked each second and jumps this far shows that the machine slept. */
const tickMs = 1_000;
const sleepMs = 3_000;

/**
 * Keeps the queries of a tab up to date. One stream tells which tables change, and queries on screen that read them are
 * refetched. Hidden tabs close their stream and catch up when they become visible.
 */
export function createLiveQueries(
  queryClient: QueryClient,
  client: TRPCClient<KitRouter>,
  transport: LiveTransport = "stream",
) {
  /** The position in the history of changes that the stream has reached. */
  let position: string | null = null;
  let stream: { unsubscribe(): void } | null = null;
  /** Releases the place of this tab, while it has one. */
  let leave: Leave | null = null;
  /** Counts openings and closings, so that an opening that waited for a place notices when it is outdated. */
  let turn = 0;
  let isDown = false;
  /** Whether the connection may have broken since the stream was up. */
  let wasLost = false;
  let failures = 0;
  let isUp = false;
  /** Polls while no stream can be opened. */
  let looking: ReturnType<typeof setInterval> | undefined;
  /** The time of the last input, in milliseconds since the epoch. */
  let touched = Date.now();
  let ownChanges: ReturnType<typeof setTimeout> | undefined;
  /** Fires when the current attempt times out, or when the next one is due. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let complaint: ReturnType<typeof setTimeout> | undefined;
  const subscribers = new Set<() => void>();

  async function open() {
    close();
    if (document.visibilityState === "hidden") return giveWay();
    if (transport === "poll") {
      if (Date.now() - touched > idleAfterMs) return;
      lookAround();
      timer = setTimeout(open, pollIntervalMs);
      return;
    }
    const thisTurn = turn;
    const place = leave ?? (await takePlace());
    if (thisTurn !== turn) return place?.();
    leave = place;
    if (!leave) {
      lookAround();
      timer = setTimeout(open, pollIntervalMs);
      return;
    }
    stream = client._kit.changes.subscribe(
      { byScope: true, ...(position !== null && { lastEventId: position }) },
      {
        onData({ id, data: tables }) {
          position = id;
          // The history starts again, perhaps in a process that names values differently. Each answer brings its names again.
          if (tables === null) reads.clear();
          refresh(queryClient, (path) => tables === null || hasRead(path, tables));
        },
        onConnectionStateChange({ state, error }) {
          if (state === "pending") up();
          else if (error) down();
        },
        onError: down,
        // The server ends streams before its host would.
        onStopped: down,
      },
    );
    // Over a connection that is dead the attempt would wait endlessly.
    timer = setTimeout(down, Math.min(attempt.last, attempt.first * 2 ** failures));
  }

  function lookAround() {
    refresh(queryClient, () => true);
  }

  function touch() {
    const hasRested = Date.now() - touched > idleAfterMs;
    touched = Date.now();
    if (hasRested && transport === "poll") void open();
  }

  function close() {
    turn += 1;
    isUp = false;
    clearTimeout(timer);
    stream?.unsubscribe();
    stream = null;
  }

  /** Releases the place for another tab, which may be visible. */
  function giveWay() {
    leave?.();
    leave = null;
  }

  function up() {
    clearTimeout(timer);
    clearInterval(looking);
    looking = undefined;
    isUp = true;
    failures = 0;
    say(false);
    // Retry queries that failed meanwhile, and queries without an answer, which may have been lost with the connection.
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
    complaint ??= setTimeout(say, showReconnectingAfterMs, true);
    // The delay is random, so that tabs do not all reconnect at once to a server that has just started.
    timer = setTimeout(open, Math.random() * Math.min(pause.last, pause.first * 2 ** failures));
    failures += 1;
    if (failures >= maxStreamFailures)
      looking ??= setInterval(() => document.visibilityState === "visible" && lookAround(), pollIntervalMs);
  }

  /** Reopens the stream after a sleep, during which the connection may have died unnoticed. */
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
    /** Whether changes currently do not reach this tab. */
    getSnapshot: () => isDown,

    subscribe(subscriber: () => void) {
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },

    /** Refetches after a change that this tab made, when no stream would tell about it. */
    changed() {
      if (isUp) return;
      clearTimeout(ownChanges);
      ownChanges = setTimeout(lookAround, burstMs);
    },

    /** Refetches what the server rendered at position `rendered`, if there were changes since. */
    catchUp(rendered: string | null, readByServer: string) {
      note(readByServer);
      if (stream === null) position ??= rendered;
      else if (rendered !== position) refresh(queryClient, () => true);
    },

    /** Starts, and returns a function that stops. */
    start() {
      let now = Date.now();
      const clock = setInterval(() => {
        const before = now;
        now = Date.now();
        if (now - before > tickMs + sleepMs) wake();
      }, tickMs);
      document.addEventListener("visibilitychange", open);
      window.addEventListener("online", open);
      window.addEventListener("offline", down);
      for (const name of touches) window.addEventListener(name, touch, { passive: true });
      void open();
      return () => {
        clearInterval(clock);
        clearTimeout(complaint);
        document.removeEventListener("visibilitychange", open);
        window.removeEventListener("online", open);
        window.removeEventListener("offline", down);
        for (const name of touches) window.removeEventListener(name, touch);
        clearInterval(looking);
        clearTimeout(ownChanges);
        close();
        giveWay();
      };
    },
  };
}

const Context = createContext<ReturnType<typeof createLiveQueries> | null>(null);

export const LiveQueries = Context.Provider;

function useLiveQueries() {
  const liveQueries = useContext(Context);
  if (!liveQueries) throw new Error("Live queries are used outside of ApiProvider; put the component below it");
  return liveQueries;
}

/** Whether changes have not reached this tab for more than a second. */
export function useIsReconnecting(): boolean {
  const { subscribe, getSnapshot } = useLiveQueries();
  return useSyncExternalStore(subscribe, getSnapshot, () => false);
}

/** Refetches what the server rendered when the history of changes was at `position`, if there were changes since. */
export function CatchUp({ position, reads }: { position: string | null; reads: string }) {
  const { catchUp } = useLiveQueries();
  useEffect(() => catchUp(position, reads), [catchUp, position, reads]);
  return null;
}

/** The tables that queries have read, by path. Each answer of the server names them. */
const reads = new Map<string, Set<string>>();

/** Whether a query may read one of these tables. An unknown query, which the server rendered, may read any. */
function hasRead(path: string, tables: readonly string[]): boolean {
  const read = reads.get(path);
  return !read || read.has("*") || tables.some((table) => isAffected(read, table));
}

/**
 * Whether what was read may include what changed. `files:<scope>.<value>` are the rows of a table with one value, and `files`
 * may be any of its rows. Names of different scopes cannot be compared.
 */
export function isAffected(read: ReadonlySet<string>, change: string): boolean {
  const [table, scope] = split(change);
  if (read.has(change) || read.has(table)) return true;
  return [...read].some((name) => {
    const [tableRead, scopeRead] = split(name);
    return tableRead === table && scopeRead !== scope;
  });
}

/** The table of a name, and its scope if it has one. */
function split(name: string): [table: string, scope?: string] {
  const [, table, scope] = /^(.+):([\w-]{8})\.[\w-]*$/.exec(name) ?? [];
  return table === undefined ? [name] : [table, scope];
}

/** Remembers the tables that answers name. */
export const noteReads: TRPCLink<AnyTRPCRouter> = () => {
  return ({ op, next }) =>
    observable((observer) =>
      next(op).subscribe({
        ...observer,
        next(answer) {
          const { response } = answer.context ?? {};
          if (response instanceof Response) note(response.headers.get("Live-Reads") ?? "");
          observer.next(answer);
        },
      }),
    );
};

function note(header: string) {
  for (const [path, table] of new URLSearchParams(header)) {
    reads.set(path, (reads.get(path) ?? new Set()).add(table));
  }
}

/** Marks the queries that `applies` selects as out of date, and refetches those on screen. */
export function refresh(
  queryClient: QueryClient,
  applies: (path: string, query: Query) => boolean,
  isLost: (query: Query) => boolean = () => false,
) {
  for (const query of queryClient.getQueryCache().getAll()) {
    const path = pathOf(query);
    if (path === null) continue;
    if (applies(path, query)) void refetch(queryClient, query, isLost(query));
    else if (query.state.fetchStatus === "fetching")
      void refetchAfterAnswer(queryClient, query, () => applies(path, query));
  }
}

/**
 * Refetches a query after the answer to its running request. Only that answer says which tables the query reads, and it may
 * have been read before the change.
 */
async function refetchAfterAnswer(queryClient: QueryClient, query: Query, applies: () => boolean) {
  await query.promise?.catch(() => undefined);
  if (applies()) await refetch(queryClient, query, false);
}

async function refetch(queryClient: QueryClient, query: Query, isLost: boolean) {
  // A running request may be older than the change. Await it instead of canceling it, because with frequent changes no
  // request would ever finish. Changes that come meanwhile lead to one request together. Cancel a request that is lost, and
  // one that waits for its next retry.
  const cancelRefetch = isLost || query.state.fetchFailureCount > 0;
  if (!cancelRefetch) await query.promise?.catch(() => undefined);
  await queryClient.invalidateQueries({ queryKey: query.queryKey, exact: true }, { cancelRefetch });
}

/** The path of a function, for example `messages.list`, or `null` for a query that is not live. See `meta.isLive`. */
function pathOf({ queryKey: [path], queryHash, meta }: Query): string | null {
  if (Array.isArray(path)) return path.join(".");
  return meta?.isLive ? queryHash : null;
}
