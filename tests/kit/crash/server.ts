import { once } from "node:events";
import { createServer } from "node:http";
import { downloadZip } from "client-zip";
import crons from "~/functions/crons";
import * as files from "~/functions/files";
import * as orders from "~/functions/orders";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { httpAction, httpRouter } from "~/kit/http/http-router";
import { multipartBody } from "~/kit/http/multipart-body";
import { toNodeHandler } from "~/kit/http/node-adapter";
import { serveHttp } from "~/kit/http/serve-http";
import { start } from "~/kit/process/start";
import { setStorageOptions } from "~/kit/storage/options";
import { serve } from "~/kit/storage/serve";
import { takeUpload } from "~/kit/storage/tus";
import * as crash from "./functions";
import { createRandom } from "./random";
import { interceptSteps } from "./steps";

// A server to be killed: the app's handlers on a loopback port, with its scheduler. Its parent learns the port by a
// message, and says by environment variables at which step it dies, or how often its disk fails.

const { CRASH_AT, CRASH_SKIP = "0", DISK_FAILURES = "0", SEED = "0" } = process.env;

// Stays infinite until the parent knows that the server is up, because a job may come to that step before.
let skip = Number.POSITIVE_INFINITY;
const random = createRandom(Number(SEED));

await interceptSteps((step, moment) => {
  if (`${moment} ${step}` === CRASH_AT && skip-- === 0) process.kill(process.pid, "SIGKILL");
  if (moment === "before" && step.startsWith("disk") && random.chance(Number(DISK_FAILURES))) {
    throw Object.assign(new Error(`No ${step}, for the test`), { code: random.pick(["EIO", "ENOSPC"]) });
  }
});

// This comes first, because the scheduler runs jobs as soon as it starts.
const router = createRouter({ files, orders, crash });
if (process.env.ON_STORED) setStorageOptions({ onStored: [crash.countStored, crash.countStoredAction] });
await start({ crons });

const functions = toNodeHandler(serveRouter(router));
const uploads = toNodeHandler(takeUpload);
const downloads = toNodeHandler(serve);
const http = httpRouter();
const receive = httpAction(async (ctx, request) => {
  const { files } = await ctx.storage.receive(request, { file: { max: 3 } });
  return Response.json(files.file);
});
http.route({ path: "/form", method: "POST", handler: receive, maxRequestSize: 10_000_000_000 });
/** Treats loopback as public. */
const trusting = { resolve: async () => ["127.0.0.1"], isAllowed: () => true, maxSize: 10_000_000_000 };
const storeFrom = httpAction(async (ctx, request) => {
  const url = new URL(request.url).searchParams.get("url") ?? "";
  return Response.json(await ctx.storage.storeFrom(url, { ...trusting, ports: [Number(new URL(url).port)] }));
});
http.route({ path: "/from", method: "POST", handler: storeFrom });
const serveFile = httpAction((ctx, request) => ctx.storage.serve(request, request.url.slice(-36)));
http.route({ pathPrefix: "/file/", method: "GET", handler: serveFile });
const send = httpAction(async (ctx, request) => {
  const [url = "", id = ""] = new URL(request.url).pathname.split("/").slice(-2);
  const file = await ctx.storage.get(id);
  if (!file) return new Response(null, { status: 404 });
  return fetch(decodeURIComponent(url), { method: "POST", ...multipartBody([["file", file, "a"]]) });
});
http.route({ pathPrefix: "/send/", method: "GET", handler: send });
const zip = httpAction(async (ctx, request) => {
  const file = await ctx.storage.get(request.url.slice(-36));
  const entries = file ? [{ name: "a", input: file.stream(), size: file.size }] : [];
  // Next.js streams what has no length. This server does not.
  return downloadZip(entries, { metadata: entries });
});
http.route({ pathPrefix: "/zip/", method: "GET", handler: zip, maxResponseSize: 10_000_000_000 });
const actions = toNodeHandler(serveHttp(http));
const server = createServer((req, res) => {
  if (req.url?.startsWith("/api/trpc/")) return functions(req, res);
  if (req.url?.startsWith("/http/")) return actions(req, res);
  return req.url?.startsWith("/api/storage/upload?") ? uploads(req, res) : downloads(req, res);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.send?.(server.address(), undefined, undefined, () => {
  skip = Number(CRASH_SKIP);
});
process.once("disconnect", () => process.exit());
// Next.js does the same.
process.once("SIGTERM", () => server.close(() => process.exit(143)));
