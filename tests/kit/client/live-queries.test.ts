import { QueryObserver } from "@tanstack/react-query";
import { observable } from "@trpc/server/observable";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLiveQueries, noteReads } from "~/kit/client/live-queries";
import { makeQueryClient } from "~/kit/client/query-client";
import { eventually } from "../eventually";

interface Stream {
  onData(message: { id: string; data: string[] | null }): void;
}

let stream: Stream | null;
let live: ReturnType<typeof createLiveQueries>;
let queryClient: ReturnType<typeof makeQueryClient>;
const stops: (() => void)[] = [];

/** A stream that the test writes. */
const client = {
  _kit: {
    changes: {
      subscribe(_input: unknown, subscriber: Stream) {
        stream = subscriber;
        return { unsubscribe: () => undefined };
      },
    },
  },
} as never;

beforeEach(async () => {
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("navigator", {});
  stream = null;
  queryClient = makeQueryClient();
  live = createLiveQueries(queryClient, client);
  stops.push(live.start(), () => queryClient.clear());
  await eventually(() => expect(stream).not.toBeNull());
  // The history before a test is unknown.
  changed(null);
});

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.unstubAllGlobals();
});

const changed = (data: string[] | null) => stream?.onData({ id: "1", data });

/** Acts like an answer of the server that read these names. */
function answer(path: string, ...names: string[]) {
  const link = noteReads({});
  const response = new Response(null, {
    headers: { "Live-Reads": new URLSearchParams(names.map((name) => [path, name])).toString() },
  });
  const next = () => observable<never, never>(({ next: tell }) => tell({ context: { response } } as never));
  link({ op: {}, next } as never).subscribe({});
}

/** A query on screen. Counts how often it was refetched, and decides what answers it. */
function show(path: string, input: string, names: string[]) {
  const asked: (() => void)[] = [];
  let read = names;
  const ask = () =>
    new Promise<number>((resolve) => {
      asked.push(() => {
        answer(path, ...read);
        resolve(asked.length);
      });
    });
  const observer = new QueryObserver(queryClient, { queryKey: [path.split("."), { input }], queryFn: ask });
  stops.push(observer.subscribe(() => undefined));
  return {
    asked,
    answer: () => asked.at(-1)?.(),
    reads: (...now: string[]) => {
      read = now;
    },
  };
}

test("a change that commits while the first answer is on its way is not missed: the names that it reads come with it", async () => {
  const one = show("cards.list", "1", ["cards:scope123.one"]);
  one.answer();
  await eventually(() => expect(queryClient.isFetching()).toBe(0));
  const two = show("cards.list", "2", ["cards:scope123.two"]);
  // The answer was read before these, and arrives after them.
  changed(["cards:scope123.two"]);
  changed(["cards:scope123.three"]);
  expect(two.asked).toHaveLength(1);
  two.answer();
  await eventually(() => expect(two.asked).toHaveLength(2));
  two.answer();
  await eventually(() => expect(queryClient.isFetching()).toBe(0));
  expect([one.asked.length, two.asked.length]).toEqual([1, 2]);
});

test("what the server rendered says what it read", async () => {
  const one = show("boards.get", "1", ["boards:scope123.one"]);
  one.answer();
  await eventually(() => expect(queryClient.isFetching()).toBe(0));
  queryClient.setQueryData([["boards", "get"], { input: "2" }], "rendered");
  const two = show("boards.get", "2", ["boards:scope123.two"]);
  live.catchUp("1", "boards.get=boards%3Ascope123.two");
  changed(["boards:scope123.two"]);
  await eventually(() => expect(two.asked).toHaveLength(1));
});

test("names that another process gave are forgotten when the history starts again", async () => {
  const tab = show("notes.list", "1", ["notes:oldscope.one"]);
  tab.answer();
  await eventually(() => expect(queryClient.isFetching()).toBe(0));
  changed(["notes:newscope.two"]);
  await eventually(() => expect(tab.asked).toHaveLength(2));
  tab.reads("notes:newscope.one");
  tab.answer();
  await eventually(() => expect(queryClient.isFetching()).toBe(0));
  changed(null);
  await eventually(() => expect(tab.asked).toHaveLength(3));
  tab.answer();
  await eventually(() => expect(queryClient.isFetching()).toBe(0));
  changed(["notes:newscope.two"]);
  changed(["notes:newscope.one"]);
  await eventually(() => expect(tab.asked).toHaveLength(4));
});

test("a burst of changes that the tab makes itself is one refetch", async () => {
  const tab = show("pictures.list", "1", []);
  tab.answer();
  await eventually(() => expect(queryClient.isFetching()).toBe(0));
  vi.useFakeTimers();
  for (let n = 0; n < 200; n++) live.changed();
  await vi.advanceTimersByTimeAsync(1_000);
  vi.useRealTimers();
  expect(tab.asked).toHaveLength(2);
  tab.answer();
});
