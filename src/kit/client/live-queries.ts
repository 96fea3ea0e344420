"use client";

import type { Query, QueryClient } from "@tanstack/react-query";
import type { TRPCClient, TRPCLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { observable } from "@trpc/server/observable";
import { createContext, useContext, useEffect, useSyncExternalStore } from "react";
import type { KitRouter } from "../functions/router";

/** Milliseconds before a stream that is down is worth a word. */
const patience = 1_000;
/** Milliseconds that an attempt to open it may take, and that pass before the next: doubled each time, up to the last. */
const attempt = { first: 2_000, last: 30_000 };
const pause = { first: 500, last: 5_000 };
/** Milliseconds between two looks at everything, by a tab that has no stream. */
const look = 5_000;
/** How often opening a stream may fail until the tab looks by itself: something in between may hold streams back. */
const tries = 2;
/** Milliseconds without a touch of the person's after which such a tab rests: nobody pays for what nobody sees. */
const rest = 5 * 60_000;
/** Milliseconds in which one's own changes count as one. */
const burst = 100;
const touches = ["pointermove", "pointerdown", "keydown", "focus"] as const;

/** How a tab hears of changes: over a stream, or by looking now and then. */
export type LiveTransport = "stream" | "poll";
/** Milliseconds between two looks at the clock, and by how much it jumps when the machine has slept. */
const tick = 1_000;
const sleep = 3_000;

/**
 * Keeps the queries of a tab up to date: hears over one stream which tables change, and asks again for those queries on
 * screen that read them. The stream is open while the page is seen; when it opens again it catches up on what was missed.
 */
export function createLiveQueries(
  queryClient: QueryClient,
  client: TRPCClient<KitRouter>,
  transport: LiveTransport = "stream",
) {
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
  let isUp = false;
  /** Looks by itself, while streams do not come. */
  let looking: ReturnType<typeof setInterval> | undefined;
  /** Milliseconds since the epoch of the person's last touch. */
  let touched = Date.now();
  let ownChanges: ReturnType<typeof setTimeout> | undefined;
  /** Until the attempt under way has failed, or until the next. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let complaint: ReturnType<typeof setTimeout> | undefined;
  const subscribers = new Set<() => void>();

  async function open() {
    close();
    if (document.visibilityState === "hidden") return giveWay();
    if (transport === "poll") {
      if (Date.now() - touched > rest) return;
      lookAround();
      timer = setTimeout(open, look);
      return;
    }
    const thisTurn = turn;
    const place = leave ?? (await takePlace());
    if (thisTurn !== turn) return place?.();
    leave = place;
    if (!leave) {
      lookAround();
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

  function lookAround() {
    refresh(queryClient, () => true);
  }

  function touch() {
    const hasRested = Date.now() - touched > rest;
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

  /** To another tab, which may be seen. */
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
    if (failures >= tries) looking ??= setInterval(() => document.visibilityState === "visible" && lookAround(), look);
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

    /** The person changed something by this tab: it shows at once, also where no stream tells of it. */
    changed() {
      if (isUp) return;
      clearTimeout(ownChanges);
      // Many at once lead to one look.
      ownChanges = setTimeout(lookAround, burst);
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

/** Whether changes do not reach this tab at the moment, for more than an instant. */
export function useIsReconnecting(): boolean {
  const { subscribe, getSnapshot } = useLiveQueries();
  return useSyncExternalStore(subscribe, getSnapshot, () => false);
}

/** Brings up to date what the server rendered when the history of changes was at `position`. */
export function CatchUp({ position }: { position: string | null }) {
  const { catchUp } = useLiveQueries();
  useEffect(() => catchUp(position), [catchUp, position]);
  return null;
}

/** The tables that queries have read, by path, as the server tells with each answer. */
const reads = new Map<string, Set<string>>();

/** Whether a query may read one of these tables. One of which nothing is known yet may: the server rendered it. */
function hasRead(path: string, tables: readonly string[]): boolean {
  const read = reads.get(path);
  return !read || read.has("*") || tables.some((table) => read.has(table));
}

/** Remembers what the answers say was read. */
export const noteReads: TRPCLink<AnyTRPCRouter> = () => {
  return ({ op, next }) =>
    observable((observer) =>
      next(op).subscribe({
        ...observer,
        next(answer) {
          note(answer.context?.response);
          observer.next(answer);
        },
      }),
    );
};

function note(response: unknown) {
  const header = response instanceof Response ? response.headers.get("Live-Reads") : null;
  for (const [path, table] of new URLSearchParams(header ?? "")) {
    reads.set(path, (reads.get(path) ?? new Set()).add(table));
  }
}

/** Marks what it applies to as out of date, and asks again for what of it is on screen. */
export function refresh(
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

/** One for each stream that a browser keeps open: over HTTP/1.1 it has six connections to a host, and pages need some. */
const places = ["stream 1", "stream 2", "stream 3", "stream 4"];

/** Gives back a place. */
type Leave = () => void;

/**
 * Takes one of the places that all tabs of the browser share; `null` when there is none. Where it has no locks to share
 * them by, as on pages without HTTPS, there is always one.
 */
async function takePlace(): Promise<Leave | null> {
  if (!("locks" in navigator)) return () => undefined;
  for (const name of places) {
    const leave = await takeLock(name);
    if (leave) return leave;
  }
  return null;
}

/** A lock is held until what its callback returns is settled. */
const takeLock = (name: string): Promise<Leave | null> =>
  new Promise((resolve, reject) => {
    const hold = (lock: Lock | null) => (lock ? new Promise<void>(resolve) : resolve(null));
    navigator.locks.request(name, { ifAvailable: true }, hold).catch(reject);
  });
