import { beforeEach, describe, expect, test } from "vitest";
import { httpAction, httpRouter } from "~/kit/http/http-router";
import { serveHttp } from "~/kit/http/serve-http";
import type { ServeOptions } from "~/kit/storage/serve";
import { serve } from "~/kit/storage/serve";
import { storage, uploadFile } from "../kit";

const text = "0123456789";
const storageId = await uploadFile(text, "text/plain");
const url = (await storage.getUrl(storageId)) ?? "";

let allowed = true;
beforeEach(() => {
  allowed = true;
});

/** Answers with the file that the query names, as long as it is allowed. */
function actionFor(options?: ServeOptions) {
  const http = httpRouter();
  const handler = httpAction((ctx, request) => {
    const id = new URL(request.url).searchParams.get("id") ?? "";
    return allowed ? ctx.storage.serve(request, id, options) : new Response("Not found", { status: 404 });
  });
  http.route({ path: "/file", method: "GET", handler });
  http.route({ path: "/file", method: "POST", handler });
  return serveHttp(http);
}

const action = actionFor();
const ask = (headers: HeadersInit = {}, method = "GET", id = storageId) =>
  action(new Request(`http://localhost/http/file?id=${id}`, { method, headers }));

/** Returns what the file URL answers, without the headers that let other sites read it. */
async function answerOfUrl(headers: HeadersInit, method = "GET") {
  const { status, headers: all, body } = await answer(await serve(new Request(url, { method, headers })));
  const own = Object.entries(all).filter(([name]) => !/^access-control-|^cross-origin-resource-policy$/.test(name));
  return { status, headers: Object.fromEntries(own), body };
}

const answer = async (response: Response) => ({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  body: await response.text(),
});

describe("ctx.storage.serve answers like a file URL", () => {
  const past = "Thu, 01 Jan 2026 00:00:00 GMT";
  test.each<[string, HeadersInit, string, number]>([
    ["the whole file", {}, "GET", 200],
    ["a range", { Range: "bytes=2-4" }, "GET", 206],
    ["the last bytes", { Range: "bytes=-3" }, "GET", 206],
    ["a range of an older version", { Range: "bytes=2-4", "If-Range": '"other"' }, "GET", 200],
    ["a range beyond the file", { Range: "bytes=10-" }, "GET", 416],
    ["a version that the client has", { "If-None-Match": "*" }, "GET", 304],
    ["another version than expected", { "If-Match": '"other"' }, "GET", 412],
    ["an older version than expected", { "If-Unmodified-Since": past }, "GET", 412],
    ["the headers alone", {}, "HEAD", 200],
  ])("%s", async (_, headers, method, status) => {
    const expected = await answerOfUrl(headers, method);
    const found = await answer(await ask(headers, method));
    expect(found.status).toBe(status);
    const cached = status < 400 && { "cache-control": "private, no-cache, no-transform" };
    const added = {
      ...("date" in expected.headers && { date: expect.any(String) }),
      "content-security-policy": expect.any(String),
      "x-content-type-options": "nosniff",
      "x-request-id": expect.any(String),
    };
    expect(found).toEqual({ ...expected, headers: { ...expected.headers, ...cached, ...added } });
  });

  test("a file of more than 20 MiB, whose length is announced", async () => {
    const large = await uploadFile(new Uint8Array(21 * 1024 * 1024), "video/mp4");
    const response = await ask({}, "GET", large);
    expect([response.status, response.headers.get("content-length")]).toEqual([200, String(21 * 1024 * 1024)]);
    expect((await response.arrayBuffer()).byteLength).toBe(21 * 1024 * 1024);
  });

  test("a form that is posted gets the whole file: its conditions are not about the file", async () => {
    const response = await ask({ Range: "bytes=2-4", "If-None-Match": "*" }, "POST");
    expect([response.status, await response.text()]).toEqual([200, text]);
  });
});

test("the name and the caching are those that the action names", async () => {
  const named = actionFor({ downloadAs: "report.txt", cacheControl: "private, max-age=60" });
  const { headers } = await named(new Request(`http://localhost/http/file?id=${storageId}`));
  expect(headers.get("content-disposition")).toBe('attachment; filename="report.txt"');
  expect(headers.get("cache-control")).toBe("private, max-age=60, no-transform");
});

test("a header that could add another one is refused", async () => {
  const injecting = actionFor({ cacheControl: "private\r\nSet-Cookie: a=1" });
  const response = await injecting(new Request(`http://localhost/http/file?id=${storageId}`));
  expect([response.status, response.headers.get("set-cookie")]).toEqual([400, null]);
});

test("access that is taken back between two ranges ends the download", async () => {
  expect(await (await ask({ Range: "bytes=0-4" })).text()).toBe("01234");
  allowed = false;
  expect((await ask({ Range: "bytes=5-" })).status).toBe(404);
});

test("a file that is deleted between two ranges is gone", async () => {
  const deleted = await uploadFile(text);
  expect((await ask({ Range: "bytes=0-4" }, "GET", deleted)).status).toBe(206);
  await storage.delete(deleted);
  const response = await ask({ Range: "bytes=5-" }, "GET", deleted);
  expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ code: "FileNotFound" })]);
});

test("no id of a file → 400", async () => {
  expect((await ask({}, "GET", "../../etc/passwd")).status).toBe(400);
});
