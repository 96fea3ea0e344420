import { TRPCClientError } from "@trpc/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createUploadQueue } from "~/kit/client/upload-queue";

let frames: (() => void)[] = [];
const nextFrame = () => {
  for (const run of frames.splice(0)) run();
};

beforeEach(() => {
  frames = [];
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => frames.push(run));
});
afterEach(() => vi.unstubAllGlobals());

const files = (count: number) => Array.from({ length: count }, (_, n) => new File(["a"], `${n}.bin`));

test("200 files that fail at once are told of once in a frame", async () => {
  const queue = createUploadQueue({
    generateUploadUrl: () => Promise.reject(new Error("No URLs today")),
    onUploaded: async () => undefined,
  });
  let told = 0;
  queue.subscribe(() => {
    told += 1;
  });
  queue.add(files(200));
  nextFrame();
  expect(told).toBe(1);
  await vi.waitFor(() => expect(queue.getSnapshot().every(({ state }) => state === "failed")).toBe(true));
  expect(told).toBe(1);
  nextFrame();
  expect(told).toBe(2);
});

test("a page that is hidden has no frames, and hears all the same", async () => {
  vi.stubGlobal("document", { hidden: true });
  const queue = createUploadQueue({
    generateUploadUrl: () => new Promise(() => undefined),
    onUploaded: async () => undefined,
  });
  const heard = new Promise<void>((resolve) => queue.subscribe(resolve));
  queue.add(files(1));
  await heard;
});

test("a refused file is listed as failed, and no URL is asked for", () => {
  const generateUploadUrl = vi.fn(() => Promise.resolve(""));
  const refuse = () => "Not wanted.";
  const queue = createUploadQueue({ generateUploadUrl, onUploaded: async () => undefined, refuse });
  queue.add(files(1));
  expect(queue.getSnapshot()).toMatchObject([{ state: "failed", error: { message: "Not wanted.", retryable: false } }]);
  expect(generateUploadUrl).not.toHaveBeenCalled();
});

test("a queue waits as long as the server asks, and fails no file for it", async () => {
  vi.useFakeTimers();
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("navigator", {});
  const tooMany = TRPCClientError.from(
    { error: { code: -32029, message: "Too many calls", data: { httpStatus: 429 } } },
    { meta: { response: new Response(null, { headers: { "Retry-After": "42" } }) } },
  );
  const generateUploadUrl = vi.fn(() =>
    Promise.reject(generateUploadUrl.mock.calls.length < 3 ? tooMany : new Error()),
  );
  const queue = createUploadQueue({ generateUploadUrl, onUploaded: async () => undefined, concurrency: 1 });
  queue.add(files(2));
  await vi.advanceTimersByTimeAsync(41_000);
  expect(generateUploadUrl).toHaveBeenCalledTimes(1);
  expect(queue.getSnapshot()).toMatchObject([{ state: "queued" }, { state: "queued" }]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(generateUploadUrl).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(42_000);
  expect(queue.getSnapshot()).toMatchObject([{ state: "failed" }, { state: "failed" }]);
  vi.useRealTimers();
});

test("a call that fails while there is no network is made again when there is one", async () => {
  vi.stubGlobal("window", new EventTarget());
  const network = { onLine: false };
  vi.stubGlobal("navigator", network);
  const generateUploadUrl = vi.fn(() => Promise.reject(new TypeError("Failed to fetch")));
  const queue = createUploadQueue({ generateUploadUrl, onUploaded: async () => undefined });
  queue.add(files(1));
  await vi.waitFor(() => expect(queue.getSnapshot()).toMatchObject([{ state: "queued" }]));
  expect(generateUploadUrl).toHaveBeenCalledTimes(1);
  network.onLine = true;
  window.dispatchEvent(new Event("online"));
  await vi.waitFor(() => expect(queue.getSnapshot()).toMatchObject([{ state: "failed" }]));
  expect(generateUploadUrl).toHaveBeenCalledTimes(2);
});

test("files of a folder have their path in it, whether it was chosen or dropped", () => {
  const queue = createUploadQueue({ generateUploadUrl: () => new Promise(() => undefined), onUploaded: async () => 1 });
  const [chosen, dropped, alone, plain] = files(4);
  Object.defineProperty(chosen, "webkitRelativePath", { value: "rome/0.bin" });
  Object.assign(dropped ?? {}, { droppedPath: "/rome/1.bin" });
  Object.assign(alone ?? {}, { droppedPath: "./2.bin" });
  queue.add([chosen, dropped, alone, plain].flatMap((file) => file ?? []));
  expect(queue.getSnapshot().map(({ path }) => path)).toEqual(["rome/0.bin", "rome/1.bin", "2.bin", "3.bin"]);
});
