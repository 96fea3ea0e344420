import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { app } from "~/functions";
import { examineProxy } from "~/kit/doctor/proxy";
import { toNodeHandler } from "~/kit/http/node-adapter";
import { liveRoute, openApiRoute, trpcRoute } from "~/kit/next";
import { upload } from "~/kit/storage/upload";
import { hasNginx, startNginx } from "../stand-ins/nginx";

if (!hasNginx) console.warn("nginx is not installed: the tests of proxies are skipped (apt install nginx).");

const routes: [string, (request: IncomingMessage, response: ServerResponse) => unknown][] = [
  ["/api/health/live", toNodeHandler(liveRoute)],
  ["/api/openapi.json", toNodeHandler(openApiRoute(app))],
  ["/api/storage/upload", toNodeHandler(upload)],
  ["/api/trpc/", trpcRoute(app)],
];
const server = createServer((request, response) => {
  const [, serve] = routes.find(([path]) => request.url?.startsWith(path)) ?? [];
  if (serve) serve(request, response);
  else response.writeHead(404).end();
});
let origin = "";

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function findings(url: string) {
  const found = await examineProxy(url);
  // The page's links lead to the origin of the tests, which is not the proxy's.
  const wrong = found.filter(({ state, check }) => state !== "ok" && check !== "Proxy: origin");
  return Object.fromEntries(wrong.map((each) => [each.check, each]));
}

test("an app without a proxy has no findings, and one of another origin is named", async () => {
  expect(await findings(origin)).toEqual({});
  const named = (await examineProxy(origin)).find(({ check }) => check === "Proxy: origin");
  expect(named).toMatchObject({ message: expect.stringContaining("http://app.test"), fix: `APP_ORIGIN=${origin}` });
});

test("an app that cannot be reached, and one that is something else, are named", async () => {
  const other = createServer((_, response) => response.end("<h1>Welcome</h1>")).listen(0, "127.0.0.1");
  await once(other, "listening");
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  expect((await findings(url))["Proxy: reach"]?.message).toContain("not as this app does");
  other.closeAllConnections();
  other.close();
  await once(other, "close");
  expect((await findings(url))["Proxy: reach"]?.message).toContain("ECONNREFUSED");
});

describe.runIf(hasNginx)("nginx", () => {
  test.each([
    ["as it is", "", "Proxy: uploads", "problem", "client_max_body_size 0;"],
    ["without a limit", "client_max_body_size 0;", "Proxy: uploads", "warning", "proxy_request_buffering off;"],
    [
      "that keeps answers back",
      "client_max_body_size 0; proxy_request_buffering off; proxy_http_version 1.0; proxy_ignore_headers X-Accel-Buffering;",
      "Proxy: streams",
      "problem",
      "proxy_buffering off;",
    ],
  ])("%s", async (_, lines, check, state, fix) => {
    const nginx = await startNginx(async () => origin, lines);
    const found = await findings(nginx.origin);
    await nginx.stop();
    expect(found[check]).toMatchObject({ state, fix: expect.stringContaining(fix) });
  });

  test("with the lines that were named has no findings", async () => {
    const lines = "client_max_body_size 0; proxy_request_buffering off; proxy_buffering off;";
    const nginx = await startNginx(async () => origin, lines);
    expect(await findings(nginx.origin)).toEqual({});
    await nginx.stop();
  });
});
