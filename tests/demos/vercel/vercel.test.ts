import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createDatabase } from "../../database";
import { createScratchCopy, type ScratchCopy } from "../../kit/scratch-copy";
import { readWriteToken, startVercelBlob, type VercelBlobStandIn } from "../../kit/stand-ins/vercel-blob";
import { type Deployment, startDeployment } from "./deployment";

/** A release whose packages are all in the registry. */
const vercel = "vercel@60.1.3";
const domain = "app.example.com";
const minutes = 60_000;

let copy: ScratchCopy;
let store: VercelBlobStandIn;
let database: Awaited<ReturnType<typeof createDatabase>>;
let deployment: Deployment;
let cookie = "";

beforeAll(async () => {
  [copy, store, database] = await Promise.all([createScratchCopy(), startVercelBlob(), createDatabase()]);
  const redirect = new URL("../../kit/stand-ins/redirect-blob-host.mjs", import.meta.url).href;
  const settings = {
    VERCEL: "1",
    VERCEL_ENV: "production",
    VERCEL_PROJECT_PRODUCTION_URL: domain,
    VERCEL_URL: `app-1.${domain}`,
    APP_SECRET: "a secret of the tests that is long enough",
    CRON_SECRET: "a secret of the tests for crons",
    DATABASE_URL: database.url,
    VERCEL_BLOB_API_URL: store.apiUrl,
    BLOB_READ_WRITE_TOKEN: readWriteToken,
    BLOB_HOST_STAND_IN: store.url,
  };
  // The file that linking a project would write. The test asks Vercel for nothing.
  const project = { projectId: "prj_test", orgId: "team_test", settings: { framework: "nextjs" } };
  await mkdir(join(copy.folder, ".vercel"));
  await writeFile(join(copy.folder, ".vercel/project.json"), JSON.stringify(project));
  const build = ["--yes", vercel, "build", "--prod", "--yes", "--token", "none"];
  await copy.run("npx", build, { ...settings, NODE_ENV: "production", VERCEL_TELEMETRY_DISABLED: "1" });
  deployment = await startDeployment(copy.folder, {
    PATH: process.env.PATH,
    TZ: ":UTC",
    ...settings,
    NODE_OPTIONS: `--import ${redirect}`,
  });
}, 10 * minutes);

afterAll(async () => {
  for (const [name, bytes] of deployment.sizes) {
    const start = Math.round(deployment.starts.get(name) ?? 0);
    console.log(`${name}: ${(bytes / 1024 ** 2).toFixed(1)} MiB, first answer after ${start} ms`);
  }
  await deployment.stop();
  await Promise.all([store.stop(), database.drop(), copy.remove()]);
});

interface Direct {
  parts: { url: string; method: string; headers: Record<string, string>; size: number }[];
  complete: { url: string; method: string; receipt: string };
}

const json = { "Content-Type": "application/json" };

/** Storage URLs begin with the production domain, which is served here. */
async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const { pathname, search } = new URL(path, deployment.origin);
  const headers = { ...init.headers, ...(cookie && { cookie }) };
  return fetch(deployment.origin + pathname + search, { redirect: "manual", ...init, headers });
}

async function call(name: string, args: object): Promise<unknown> {
  const response = await ask(`/api/trpc/${name}`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ json: args }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer.result.data.json;
}

async function query(name: string, args: object): Promise<unknown> {
  const input = encodeURIComponent(JSON.stringify({ json: args }));
  return (await (await ask(`/api/trpc/${name}?input=${input}`)).json()).result.data.json;
}

async function upload(bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<string> {
  const url = String(await call("files.generateUploadUrl", {}));
  expect(url).toMatch(`https://${domain}/api/storage/upload?`);
  const response = await ask(url, { method: "POST", headers: { "Content-Type": contentType }, body: bytes });
  const { storageId } = await response.json();
  expect([response.status, storageId]).toEqual([200, expect.any(String)]);
  return storageId;
}

describe("what `vercel build` makes, with no setting but secrets and what integrations set", () => {
  test("is well, and has a page", async () => {
    const health = await ask("/api/health");
    expect([health.status, await health.json()]).toEqual([200, { database: "ok", storage: "ok" }]);
    const page = await ask("/chat");
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("Send pictures")]);
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors");
  });

  test("takes a visitor through the main flow: signs in, uploads, saves, lists, reads and sends", async () => {
    const joined = await ask("/api/auth/sign-in/anonymous", { method: "POST", headers: json, body: "{}" });
    cookie = joined.headers
      .getSetCookie()
      .map((set) => set.split(";")[0])
      .join("; ");
    expect([joined.status, cookie]).toEqual([200, expect.stringContaining("session_token")]);
    const bytes = randomBytes(100_000);
    const storageId = await upload(new Uint8Array(bytes), "application/octet-stream");
    await call("files.saveFile", { storageId, name: "a.bin" });
    expect(await query("files.list", {})).toMatchObject({ page: [{ name: "a.bin" }] });
    const url = String(await query("files.getUrl", { storageId }));
    expect(url).toMatch(`https://${domain}/api/storage/`);
    const file = await ask(url);
    expect(Buffer.from(await file.arrayBuffer()).equals(bytes)).toBe(true);
    await call("messages.sendMessage", { author: "Ada", body: "Hello from a function" });
    expect(JSON.stringify(await query("messages.list", {}))).toContain("Hello from a function");
  });

  test("takes what Vercel's limit on bodies keeps out straight to the store, and serves it from there", async () => {
    const bytes = new Uint8Array(randomBytes(6 * 1024 * 1024));
    const url = new URL(String(await call("files.generateUploadUrl", {})));
    const refused = await ask(url.href, { method: "POST", body: bytes });
    expect(refused.status).toBe(413);
    const announced = JSON.stringify({ size: bytes.length, contentType: "video/mp4" });
    const started = await ask(`/api/storage/upload/direct${url.search}`, {
      method: "POST",
      headers: json,
      body: announced,
    });
    const { parts, complete }: Direct = (await started.json()).direct;
    const answers: string[] = [];
    for (const { url, method, headers, size } of parts) {
      const begin = answers.length * (parts[0]?.size ?? 0);
      answers.push(await (await fetch(url, { method, headers, body: bytes.slice(begin, begin + size) })).text());
    }
    const body = JSON.stringify({ receipt: complete.receipt, answers });
    const completed = await ask(complete.url, { method: complete.method, headers: json, body });
    const { storageId } = await completed.json();
    await call("files.saveFile", { storageId, name: "large.bin" });
    const file = await ask(String(await query("files.getUrl", { storageId })));
    expect(file.status).toBe(307);
    expect(new URL(file.headers.get("location") ?? "").hostname).not.toBe(domain);
  });

  test("runs what a request scheduled once it is answered, before the instance is suspended", async () => {
    const picture = await sharp({ create: { width: 600, height: 400, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const storageId = await upload(new Uint8Array(picture), "image/png");
    await call("images.saveImage", { storageId, title: "red" });
    await vi.waitFor(
      async () => {
        const { page } = (await query("images.list", {})) as { page: { thumbnailId?: string }[] };
        expect(page[0]?.thumbnailId).toEqual(expect.any(String));
      },
      { timeout: 20_000, interval: 500 },
    );
  });

  test("runs crons for Vercel alone", async () => {
    expect((await ask("/api/cron")).status).toBe(401);
    const ran = await ask("/api/cron", { headers: { Authorization: "Bearer a secret of the tests for crons" } });
    expect([ran.status, await ran.text()]).toEqual([200, expect.anything()]);
  });

  test("serves HTTP actions, and answers preflights", async () => {
    const answer = await ask("/http/sendImage?author=Ada", {
      method: "POST",
      headers: { "Content-Type": "image/png" },
      body: new Uint8Array(
        await sharp({ create: { width: 9, height: 9, channels: 3, background: "blue" } })
          .png()
          .toBuffer(),
      ),
    });
    expect(answer.status).toBe(200);
  });

  test("tells pages to look for changes, and keeps no stream open by itself", async () => {
    expect(await (await ask("/")).text()).toMatch(/transport[\\":]+poll/);
  });

  test("streams changes to who asks for them", async () => {
    const abort = new AbortController();
    const stream = await ask("/api/trpc/_kit.changes?input=%7B%7D", { signal: abort.signal });
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const read = async (what: string) => {
      while (!text.includes(what)) text += (await reader?.read())?.value ?? "";
    };
    await read("connected");
    await read('"json":null');
    await call("messages.sendMessage", { author: "Ada", body: "Live" });
    await read("messages");
    abort.abort();
  });
});
