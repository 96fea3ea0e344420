import { afterEach, describe, expect, test } from "vitest";
import { pool } from "~/kit/database/database";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { currentPosition } from "~/kit/live/change-log";

const serve = serveRouter(createRouter({}));
const readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.cancel();
});

async function open(lastEventId?: string, headers: HeadersInit = {}) {
  const input = encodeURIComponent(JSON.stringify({ json: { lastEventId } }));
  const response = await serve(new Request(`http://app.test/api/trpc/_kit.changes?input=${input}`, { headers }));
  const reader = (response.body ?? new ReadableStream()).getReader();
  readers.push(reader);
  /** The fields of the next event. */
  const next = async () => {
    const value = new TextDecoder().decode((await reader.read()).value);
    expect(value).toMatch(/^(\w+: .*\n)+\n$/);
    return Object.fromEntries(
      value
        .trim()
        .split("\n")
        .map((line) => line.split(/: (.*)/s)),
    );
  };
  return { response, next };
}

const change = (table: string) => pool.query(`TRUNCATE ${table}`);

describe("GET /api/trpc/_kit.changes", () => {
  test("is a stream that nothing on its way may keep or change", async () => {
    const { response } = await open();
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toBe("text/event-stream");
    expect(response.headers.get("Cache-Control")).toBe("no-cache, no-transform");
  });

  test("connected, then that any table may have changed, then what does", async () => {
    const { next } = await open();
    expect(await next()).toEqual({ event: "connected", data: '{"reconnectAfterInactivityMs":35000}' });
    expect(await next()).toEqual({ data: '{"json":null}', id: expect.any(String) });
    await change("images");
    expect(await next()).toEqual({ data: '{"json":["images"]}', id: currentPosition() });
  });

  test.each(["in the query", "in a header"])("the last event, %s → what came after it", async (where) => {
    const first = await open();
    await first.next();
    const { id = "" } = await first.next();
    await change("files");
    const { next } = where === "in a header" ? await open("x", { "Last-Event-ID": id }) : await open(id);
    await next();
    expect(await next()).toMatchObject({ data: '{"json":["files"]}' });
  });

  test("a reader that is slow → two events at most wait for it, the second for all that it missed", async () => {
    const [slow, fast] = [await open(), await open()];
    for (const { next } of [slow, fast])
      expect([await next(), await next()]).toMatchObject([{}, { data: '{"json":null}' }]);
    for (let count = 0; count < 10; count += 1) {
      await change(count % 2 ? "images" : "files");
      await fast.next();
    }
    expect((await slow.next()).id).not.toBe(currentPosition());
    expect((await slow.next()).id).toBe(currentPosition());
  });
});
