import { existsSync } from "node:fs";
import { type IncomingHttpHeaders, type RequestOptions, request } from "node:http";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchApp, type ServerProcess } from "../kit/crash/server-process";

// docs/decisions/056: functions and files are served past the router of Next.js, and must be served in the same way by it.

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  text: string;
}

let direct: ServerProcess;
let routed: ServerProcess;
const isBuilt = existsSync(".next/BUILD_ID");

beforeAll(async () => {
  if (!isBuilt) return;
  const settings = { APP_ORIGIN: "http://127.0.0.1" };
  [direct, routed] = await Promise.all([launchApp(settings), launchApp({ ...settings, DIRECT_ROUTES: "0" })]);
});

afterAll(() => {
  for (const server of [direct, routed]) server?.child.kill("SIGKILL");
});

function ask({ origin }: ServerProcess, path: string, options: RequestOptions = {}, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${origin}${path}`, { agent: false, ...options }, async (response) => {
      const bytes = await buffer(response);
      const isZipped = response.headers["content-encoding"] === "gzip";
      const text = (isZipped ? gunzipSync(bytes) : bytes).toString("latin1");
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    sent.on("error", reject).end(body);
  });
}

/** These headers may differ: Next.js sends no length for short messages, and announces that it might compress them. */
const others = ["date", "x-request-id", "connection", "keep-alive", "content-length", "transfer-encoding", "vary"];
const comparable = ({ status, headers, text }: Answer) => ({
  status,
  headers: Object.entries(headers).filter(([name]) => !others.includes(name)),
  // A page contains the time when it was made.
  text: headers["content-type"]?.startsWith("text/html")
    ? ""
    : text.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, "id"),
});

async function expectSame(path: string, options?: RequestOptions, body?: string): Promise<void> {
  const [one, other] = await Promise.all([ask(direct, path, options, body), ask(routed, path, options, body)]);
  expect(comparable(one), `${options?.method ?? "GET"} ${path}`).toEqual(comparable(other));
}

const json = { "Content-Type": "application/json" };

test.runIf(isBuilt)("functions answer in the same way past the router and by it", async () => {
  const list = "/api/trpc/messages.list";
  for (let sent = 0; sent < 30; sent++) {
    const body = JSON.stringify({ json: { author: "Ada", body: "A text of a few words" } });
    await ask(direct, "/api/trpc/messages.sendMessage", { method: "POST", headers: json }, body);
  }
  const paths = [
    "/api/trpc/",
    "/api/trpc/a/b",
    "/api/trpc/%E0%A4%A",
    "/api/trpc/messages%2Elist",
    `${list}/`,
    "/api/trpc/none",
  ];
  for (const path of [list, `${list}?batch=1&input=%7B%7D`, `${list},files.count?batch=1&input=%7B%7D`, ...paths]) {
    await expectSame(path);
  }
  const headers = [
    { "Accept-Encoding": "gzip, deflate, br" },
    { "X-Forwarded-Proto": "https" },
    { Authorization: "Bearer x" },
    { Cookie: "better-auth.session_token=a.b" },
  ];
  for (const each of headers) await expectSame(list, { headers: each });
  for (const method of ["OPTIONS", "HEAD", "DELETE", "TRACE"]) await expectSame(list, { method });
  for (const body of ["{}", "{", '{"json":{"author":1}}', `"${"x".repeat(300_000)}"`]) {
    await expectSame("/api/trpc/messages.sendMessage", { method: "POST", headers: json }, body);
  }
});

test.runIf(isBuilt)("uploads and files are served in the same way past the router and by it", async () => {
  const upload = "/api/storage/upload";
  for (const size of [0, 1, 20_000, 70_000, 400_000]) {
    const post = { method: "POST", headers: { "Content-Type": "text/plain", "Content-Length": size } };
    const made = [direct, routed].map(async (server) => {
      const mint = await ask(server, "/api/trpc/files.generateUploadUrl", { method: "POST", headers: json }, "{}");
      const { pathname, search } = new URL(JSON.parse(mint.text).result.data.json);
      const answer = await ask(server, pathname + search, post, "a".repeat(size));
      expect((await ask(server, pathname + search, post, "b".repeat(size))).status).toBe(409);
      return answer;
    });
    const [one, other] = await Promise.all(made);
    expect(one && comparable(one)).toEqual(other && comparable(other));
    const { storageId } = JSON.parse(one?.text ?? "{}") as { storageId: string };
    const input = encodeURIComponent(JSON.stringify({ json: { storageId } }));
    const { pathname } = new URL(
      JSON.parse((await ask(direct, `/api/trpc/files.getUrl?input=${input}`)).text).result.data.json,
    );
    for (const path of [
      pathname,
      `${pathname}?download=a%20b.txt`,
      `${pathname}?expires=1`,
      `${pathname}/`,
      `${pathname}x`,
    ]) {
      await expectSame(path);
    }
    for (const Range of ["bytes=0-9", "bytes=-10", "bytes=999999-"]) await expectSame(pathname, { headers: { Range } });
    await expectSame(pathname, { headers: { "If-None-Match": "*" } });
    for (const method of ["HEAD", "OPTIONS", "POST"]) await expectSame(pathname, { method });
  }
  for (const method of ["GET", "POST", "OPTIONS"]) {
    for (const path of [upload, `${upload}?token=a.b`]) await expectSame(path, { method });
  }
});
