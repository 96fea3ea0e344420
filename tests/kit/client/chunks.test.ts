import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { uploadInChunks } from "~/kit/client/resumable";

const mebibyte = 1024 * 1024;

/** How many bytes the server has. */
let offset = 0;
let size = 0;
/** How much of a request arrives before its connection breaks, and what the browser says then. */
let arrives = 0;
let refusal: 0 | 409 | 413 = 0;
let sizes: number[] = [];

/** XMLHttpRequest with such a server behind it. */
class Request extends EventTarget {
  upload = new EventTarget();
  status = 0;
  responseText = "";
  private headers: Record<string, string> = {};
  private method = "";
  open(method: string) {
    this.method = method;
  }
  setRequestHeader = () => undefined;
  getResponseHeader(name: string) {
    return this.headers[name] ?? null;
  }
  abort = () => undefined;
  send(body?: Blob) {
    const sent = body?.size ?? 0;
    if (this.method === "PATCH") sizes.push(sent);
    const isWhole = sent <= arrives;
    if (this.method === "PATCH" && (refusal !== 413 || isWhole)) offset += Math.min(sent, arrives);
    this.status = { POST: 201, PATCH: isWhole ? 204 : refusal, HEAD: 200 }[this.method] ?? 405;
    this.headers = { "Upload-Offset": String(offset), ...(offset === size && { "Storage-Id": "a file" }) };
    queueMicrotask(() => {
      this.dispatchEvent(new Event(this.status === 0 ? "error" : "load"));
      this.dispatchEvent(new Event("loadend"));
    });
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("XMLHttpRequest", Request);
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("navigator", {});
  offset = 0;
  sizes = [];
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

async function upload(bytes: number) {
  size = bytes;
  const file = new File([new Uint8Array(bytes)], "a.bin");
  const uploaded = uploadInChunks({ url: "http://app.test/upload?token=a", file });
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  uploaded.then(over, over);
  for (let second = 0; !isOver && second < 1_000; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    // A part is read outside of these timers.
    await new Promise(setImmediate);
  }
  return uploaded;
}

test.each([0, 409] as const)(
  "a line that breaks again and again is used as long as bytes arrive: %i",
  async (status) => {
    arrives = mebibyte / 8;
    refusal = status;
    expect(await upload(2 * mebibyte)).toEqual({ storageId: "a file" });
  },
);

test("a line on which nothing arrives is given up", async () => {
  arrives = 0;
  refusal = 0;
  await expect(upload(mebibyte)).rejects.toMatchObject({ code: "ConnectionLost" });
});

test("chunks get smaller when a proxy refuses them", async () => {
  arrives = 3 * mebibyte;
  refusal = 413;
  expect(await upload(16 * mebibyte)).toEqual({ storageId: "a file" });
  expect(sizes.slice(0, 2)).toEqual([8 * mebibyte, 2 * mebibyte]);
  expect(Math.max(...sizes.slice(1))).toBe(2 * mebibyte);
});
