import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { toNodeHandler } from "~/kit/http/node-adapter";
import { watchConnections } from "~/kit/http/watch-connections";
import { env } from "~/kit/process/env";
import { serve } from "~/kit/storage/serve";
import { storage } from "../storage/kit";

/** Serves files as the app does, and answers "app" to everything else. */
const files = toNodeHandler(serve);
const server = createServer((req, res) => {
  const isFile = req.url?.startsWith("/api/storage/") && !req.url.includes("upload");
  return isFile ? void files(req, res) : res.end("app");
});
const id = await storage.store(new Blob(["the file"]));
let url = new URL("http://app.test");

beforeAll(async () => {
  vi.spyOn(env, "APP_ORIGIN", "get").mockReturnValue("http://app.test");
  vi.spyOn(env, "FILES_ORIGIN", "get").mockReturnValue("http://files.test:8080");
  watchConnections();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  url = new URL((await storage.getUrl(id)) ?? "");
});
afterAll(() => server.close());

function send(host: string, path: string, headers: Record<string, string> = {}, method = "GET") {
  const { port } = server.address() as AddressInfo;
  return new Promise<{ status?: number; location?: string; body: string }>((resolve, reject) => {
    request({ port, host: "127.0.0.1", path, method, headers: { host, ...headers } }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, location: response.headers.location, body }));
    })
      .on("error", reject)
      .end();
  });
}

test("getUrl returns a URL of the host of the files, and it serves the file", async () => {
  expect(url.origin).toBe("http://files.test:8080");
  const path = url.pathname + url.search;
  expect(await send("files.test:8080", path)).toMatchObject({ status: 200, body: "the file" });
  expect(await send("FILES.test", path, {}, "HEAD")).toMatchObject({ status: 200, body: "" });
  expect((await send("files.test", path, { origin: "http://app.test" }, "OPTIONS")).status).toBe(204);
  // Behind a proxy that has a name of its own for the app.
  expect((await send("10.0.0.1:3000", path, { "x-forwarded-host": "files.test" })).status).toBe(200);
});

test.each([
  ["a page", "/chat"],
  ["the start page", "/"],
  ["the functions", "/api/trpc/messages.list"],
  ["an HTTP action", "/http/getImage"],
  ["an upload URL", "/api/storage/upload?token=x"],
  ["a path that climbs out of the files", `/api/storage/${id}/../../../chat`],
  ["an encoded one", `/api/storage/${id}/%2e%2e/%2e%2e/chat`],
  ["a target with a host", "http://app.test/chat"],
])("the host of the files answers 404 for %s", async (_, path) => {
  for (const headers of [{}, { "x-forwarded-host": "app.test" }, { cookie: "session=1" }]) {
    const { status, body } = await send("files.test:8080", path, headers as Record<string, string>);
    expect([status, JSON.parse(body).code]).toEqual([404, "FileNotFound"]);
  }
  expect((await send("files.test.", path)).status).toBe(404);
});

test("the app's host sends requests for files to the host of the files, and serves the rest", async () => {
  const path = `${url.pathname}?download=a.txt`;
  expect((await send("app.test", url.pathname)).location).toBe(url.href);
  expect((await send("app.test", path)).status).toBe(404);
  expect(await send("app.test", "/chat")).toMatchObject({ status: 200, body: "app" });
  // A request for a name that a proxy made up is not redirected, because it could come back endlessly.
  expect(await send("10.0.0.1:3000", url.pathname)).toMatchObject({ status: 200, body: "the file" });
});
