import { fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { expect, test } from "vitest";
import { report, scale } from "../../kit/crash/scale";
import { launchApp } from "../../kit/crash/server-process";

const { hostileSeconds, limit } = scale;

/** Bytes that the server may use. */
const memory = 1024 ** 3;
/**
 * The longest time in milliseconds for nearly every request of a well-behaved client, and the longest time until the server
 * has recovered.
 */
const slowest = 1_000;
const recovery = 5_000;

/**
 * A person who uses the app as intended: uploads, saves, lists and reads files, and sends messages.
 *
 * @returns their files, by URL, as the SHA-256 of each; and the milliseconds that each request took
 */
function createVisitor(origin: string) {
  const files = new Map<string, string>();
  const times: { what: string; milliseconds: number }[] = [];
  let cookie = "";

  async function request(path: string, init: RequestInit = {}, what = path): Promise<Response> {
    const started = performance.now();
    const headers = { ...init.headers, cookie };
    // Storage URLs name the app's public origin.
    const { pathname, search } = new URL(path, origin);
    const response = await fetch(`${origin}${pathname}${search}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(60_000),
    });
    const bytes = await response.arrayBuffer();
    times.push({ what, milliseconds: performance.now() - started });
    if (!response.ok)
      throw new Error(`${what} answered ${response.status}: ${Buffer.from(bytes).toString().slice(0, 300)}`);
    return new Response(bytes, response);
  }
  const json = { "Content-Type": "application/json" };
  async function call(name: string, args: object): Promise<unknown> {
    const init = { method: "POST", headers: json, body: JSON.stringify({ json: args }) };
    return (await (await request(`/api/trpc/${name}`, init)).json()).result.data.json;
  }
  async function ask(name: string, args: object): Promise<unknown> {
    const path = `/api/trpc/${name}?input=${encodeURIComponent(JSON.stringify({ json: args }))}`;
    return (await (await request(path, {}, name)).json()).result.data.json;
  }
  async function upload(bytes: Buffer, contentType = "application/octet-stream"): Promise<string> {
    const url = String(await call("files.generateUploadUrl", {}));
    const init = { method: "POST", headers: { "Content-Type": contentType }, body: new Uint8Array(bytes) };
    return (await (await request(url, init, "upload")).json()).storageId;
  }

  return {
    files,
    times,
    call,
    ask,
    upload,
    cookie: () => cookie,
    async join() {
      const response = await request("/api/auth/sign-in/anonymous", { method: "POST", headers: json, body: "{}" });
      cookie = response.headers
        .getSetCookie()
        .map((set) => set.split(";")[0])
        .join("; ");
    },
    /** Runs through the main flow once. */
    async visit() {
      const bytes = randomBytes(50_000);
      const storageId = await upload(bytes);
      await call("files.saveFile", { storageId, name: "a.bin" });
      const url = String(await ask("files.getUrl", { storageId }));
      files.set(url, createHash("sha256").update(bytes).digest("hex"));
      await ask("files.list", {});
      await call("messages.sendMessage", { author: "ann", body: "hello" });
      await ask("messages.list", {});
      await request(url, {}, "download");
    },
    /** The URLs that do not serve the bytes that were sent. */
    async lost(): Promise<string[]> {
      const lost: string[] = [];
      for (const [url, sha256] of files) {
        const found = await request(url, {}, "download");
        if (
          createHash("sha256")
            .update(Buffer.from(await found.arrayBuffer()))
            .digest("hex") !== sha256
        )
          lost.push(url);
      }
      return lost;
    },
  };
}

/** Bytes that a process has in memory. */
async function residentMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

test.runIf(hostileSeconds > 0 && existsSync(".next/BUILD_ID"))(
  "hostile clients, each kind alone and all together: others are served in time, nothing is lost, memory is bounded",
  async () => {
    const server = await launchApp({
      RATE_LIMIT_UPLOADS: "100000",
      // Half of the memory, which is what V8 takes for its heap in a cgroup of that size.
      NODE_OPTIONS: `--max-old-space-size=${memory / 2 / 1024 ** 2}`,
    });
    const pid = server.child.pid ?? 0;
    const eve = createVisitor(server.origin);
    const ann = createVisitor(server.origin);
    await Promise.all([eve.join(), ann.join()]);

    // A picture of a few kilobytes that decodes to 200 MB, and a file that takes long to send.
    const picture = await sharp({ create: { width: 7000, height: 7000, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const storageId = await eve.upload(picture, "image/png");
    const { _id: imageId } = (await eve.call("images.saveImage", { storageId, title: "t" })) as { _id: string };
    const large = await eve.upload(randomBytes(50_000_000));
    const fileUrl = new URL(String(await eve.ask("files.getUrl", { storageId: large })));
    const uploadUrls: string[] = [];
    for (let n = 0; n < 400; n++) {
      const { pathname, search } = new URL(String(await eve.call("files.generateUploadUrl", {})));
      uploadUrls.push(pathname + search);
    }
    const known = { cookie: eve.cookie(), imageId, fileUrl: fileUrl.pathname + fileUrl.search, uploadUrls };
    const script = fileURLToPath(new URL("attackers.mjs", import.meta.url));
    const attackers = fork(script, [server.origin, JSON.stringify(known)], { execArgv: [] });
    const [{ attacks: all }] = (await once(attackers, "message")) as [{ attacks: string[] }];
    const attacks = process.env.SOAK_HOSTILE?.split(",") ?? all;
    const alone = process.env.SOAK_HOSTILE ? [] : attacks.map((name) => [name, [name]] as const);

    let most = 0;
    const sampling = setInterval(async () => {
      most = Math.max(most, await residentMemory(pid));
    }, 100);
    const faults: string[] = [];
    attackers.once("exit", (code) => attackers.killed || faults.push(`The attackers ended with ${code}`));
    try {
      for (let n = 0; n < 5; n++) await ann.visit();
      for (const [title, names] of [...alone, ["all together", attacks] as const]) {
        const seconds = names.length > 1 ? 4 * hostileSeconds : hostileSeconds;
        most = 0;
        ann.times.length = 0;
        if (!attackers.connected) break;
        attackers.send(names);
        const until = performance.now() + seconds * 1000;
        while (performance.now() < until) {
          await ann.visit().catch((error) => faults.push(`${title}: ${error}`));
        }
        const times = ann.times.map(({ milliseconds }) => milliseconds);
        const p99 = percentile(times, 0.99);
        if (attackers.connected) attackers.send([]);
        const ended = performance.now();
        // The server has recovered when a whole visit takes no longer than one request may.
        let recovered = Number.POSITIVE_INFINITY;
        while (recovered > slowest && performance.now() - ended < 2 * recovery) {
          const started = performance.now();
          await ann.visit().catch((error) => faults.push(`after ${title}: ${error}`));
          recovered = performance.now() - started;
          await pause(10);
        }
        const took = performance.now() - ended;
        report(
          `${title}: ${times.length} requests, median ${Math.round(percentile(times, 0.5))} ms, p99 ${Math.round(p99)} ms, ` +
            `longest ${Math.round(Math.max(...times))} ms; ${Math.round(most / 1024 ** 2)} MiB; recovered in ${Math.round(took)} ms`,
        );
        const worst = [...ann.times].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, 5);
        report(worst.map(({ what, milliseconds }) => `${what.slice(0, 40)} ${Math.round(milliseconds)} ms`).join(", "));
        if (p99 > slowest) faults.push(`${title}: p99 ${Math.round(p99)} ms`);
        if (most > memory) faults.push(`${title}: ${Math.round(most / 1024 ** 2)} MiB`);
        if (took > recovery) faults.push(`${title}: recovered in ${Math.round(took)} ms`);
      }
      expect(await ann.lost()).toEqual([]);
      expect(faults).toEqual([]);
    } finally {
      clearInterval(sampling);
      attackers.kill();
      server.child.kill("SIGTERM");
      await once(server.child, "exit");
    }
  },
  limit,
);
