import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { withTimeouts } from "~/kit/storage/upload";
import { streamOf } from "../kit";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => undefined);
const timeouts = { stallMs: 1000, wholeMs: 100_000 };
const timeout = expect.objectContaining({ code: "RequestTimeout", status: 408 });

async function sizeOf(body: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of body) size += chunk.byteLength;
  return size;
}

describe("withTimeouts", () => {
  test.each([
    ["from its start", []],
    ["on its way", ["some", "more"]],
  ])("a body that stalls %s → RequestTimeout, and it is cancelled", async (_, pieces) => {
    const cancel = vi.fn();
    const rest = pieces.map((piece) => Buffer.from(piece));
    const pull = (controller: ReadableStreamDefaultController) => {
      const piece = rest.shift();
      return piece ? controller.enqueue(piece) : never();
    };
    const size = sizeOf(withTimeouts(new ReadableStream({ pull, cancel }), timeouts));
    size.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(999);
    expect(vi.getTimerCount()).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    await expect(size).rejects.toThrow(timeout);
    expect(vi.getTimerCount()).toBe(0);
    expect(cancel).toHaveBeenCalledOnce();
  });

  test("a slow body that never stops → all of it", async () => {
    const slowly = async () => {
      await vi.advanceTimersByTimeAsync(999);
      return "x";
    };
    expect(await sizeOf(withTimeouts(streamOf(...Array.from({ length: 100 }, () => slowly)), timeouts))).toBe(100);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a slow body that takes longer than all of it may → RequestTimeout", async () => {
    const slowly = async () => {
      await vi.advanceTimersByTimeAsync(999);
      return "x";
    };
    const size = sizeOf(withTimeouts(streamOf(...Array.from({ length: 102 }, () => slowly)), timeouts));
    await expect(size).rejects.toThrow(timeout);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a disk that is slower than the client → all of it", async () => {
    const chunks = withTimeouts(streamOf("a", "b"), timeouts);
    await chunks.next();
    await vi.advanceTimersByTimeAsync(5000);
    expect((await chunks.next()).done).toBe(false);
    await vi.advanceTimersByTimeAsync(5000);
    expect((await chunks.next()).done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a slow disk and then a stall → RequestTimeout", async () => {
    const chunks = withTimeouts(streamOf("a", never), timeouts);
    await chunks.next();
    await vi.advanceTimersByTimeAsync(5000);
    const next = chunks.next();
    next.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(1000);
    await expect(next).rejects.toThrow(timeout);
  });

  test("a body that breaks off → IncompleteBody with its cause", async () => {
    const cause = new Error("aborted");
    const broken = expect.objectContaining({ code: "IncompleteBody", cause });
    await expect(sizeOf(withTimeouts(streamOf("some", cause), timeouts))).rejects.toThrow(broken);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a reader that stops → the body is cancelled", async () => {
    const cancel = vi.fn();
    const pull = (controller: ReadableStreamDefaultController) => controller.enqueue(Buffer.from("more"));
    for await (const _ of withTimeouts(new ReadableStream({ pull, cancel }), timeouts)) break;
    expect(cancel).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });
});
