import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createUploadQueue } from "~/kit/client/use-uploads";

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
