import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BrowserContext, expect as expectPage, type Page } from "@playwright/test";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { cloudStores } from "../../e2e/demos/stores";
import { type App, freePort, startApp } from "../../kit/e2e/app";
import { startFront } from "../../kit/e2e/front";
import type { StandIn } from "../../kit/stand-ins/stand-in";
import { recordTasks, startBrowser } from "./browser-process";
import { type Line, openLine } from "./upload-line";

// Uploads a large file from a browser while everything that can break does break. Needs a build.

const mebibyte = 1024 * 1024;
const size = Number(process.env.UPLOAD_SOAK_MB ?? 300) * mebibyte + 12_345;
const minutes = 60_000;

let folder: string;
let film: string;
let sha256: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "upload-soak-"));
  film = join(folder, "film.mp4");
  const hash = createHash("sha256");
  for (let left = size; left > 0; left -= mebibyte) {
    const piece = randomBytes(Math.min(left, mebibyte));
    hash.update(piece);
    await appendFile(film, piece);
  }
  sha256 = hash.digest("hex");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Chooses the film. Through the browser's own protocol, because Playwright sends no large files to a browser that it only joined. */
async function choose(page: Page): Promise<void> {
  const input = page.locator("input[type=file]").first();
  await input.waitFor({ state: "attached" });
  const session = await page.context().newCDPSession(page);
  const { root } = await session.send("DOM.getDocument");
  const { nodeId } = await session.send("DOM.querySelector", { nodeId: root.nodeId, selector: "input[type=file]" });
  await session.send("DOM.setFileInputFiles", { nodeId, files: [film] });
}

interface World {
  page: Page;
  context: BrowserContext;
  app: App;
  /** From the browser to where the bytes go. */
  line: Line;
  /** Bytes that the server or the store has acknowledged. */
  acknowledged: () => number;
  /** Reloads or starts the page, and chooses the film again. */
  again: (open: () => Promise<Page>) => Promise<void>;
  killBrowser: () => Promise<Page>;
}

/** Waits until this share of the film has arrived. */
const arrived = (world: World, share: number) =>
  expectPage
    .poll(() => world.acknowledged(), { timeout: 5 * minutes, intervals: [20] })
    .toBeGreaterThanOrEqual(share * size - 17 * mebibyte);

const trials: Record<string, (world: World) => Promise<void>> = {
  "a line that is cut at every tenth": async ({ line }) => {
    line.breakAfter(size / 10, "cut", 9);
    await expectPage.poll(() => line.breaks(), { timeout: 5 * minutes }).toBe(9);
  },
  "a minute without a network": async (world) => {
    await arrived(world, 0.3);
    await world.context.setOffline(true);
    await world.page.waitForTimeout(minutes);
    await world.context.setOffline(false);
  },
  "a page that is reloaded": async (world) => {
    await arrived(world, 0.4);
    await world.again(async () => {
      await world.page.reload();
      return world.page;
    });
  },
  "a browser that is killed": async (world) => {
    await arrived(world, 0.4);
    await world.again(world.killBrowser);
  },
  "a server that is killed": async (world) => {
    await arrived(world, 0.4);
    await world.app.crash();
  },
  "a proxy that stalls connections": async ({ line }) => {
    line.breakAfter(size / 3, "stall");
    await expectPage.poll(() => line.breaks(), { timeout: 5 * minutes }).toBe(1);
  },
  "two tabs": async (world) => {
    await arrived(world, 0.2);
    const other = await world.context.newPage();
    await other.goto(world.page.url());
    await choose(other);
    await expectPage(other.getByText("Another tab uploads this file")).toBeVisible({ timeout: minutes });
    await other.close();
  },
};

const kinds: Record<string, () => Promise<{ standIn?: StandIn; settings: Record<string, string> }>> = {
  "the disk": async () => ({ settings: {} }),
  ...cloudStores,
};

describe.runIf(existsSync(".next/BUILD_ID"))("uploads from a browser", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close().catch(() => undefined);
  });

  for (const [kind, open] of Object.entries(kinds)) {
    const all = kind === "the disk" ? { ...trials, "a proxy with a limit of 100 MB": async () => undefined } : trials;
    for (const [name, disturb] of Object.entries(all)) {
      test(`to ${kind}, with ${name}: one file, and no acknowledged byte is sent twice`, {
        timeout: 15 * minutes,
      }, async () => {
        const { standIn, settings } = await open();
        if (standIn) closing.push(() => standIn.stop());
        // Bytes go to the app, or to the store.
        const line = await openLine(standIn?.url ?? "http://localhost");
        closing.push(() => line.close());
        const app = await startApp(standIn ? throughLine(settings, standIn, line) : { APP_ORIGIN: line.origin });
        closing.push(() => app.stop());
        if (!standIn) line.target = app.origin;
        if (name.includes("limit")) {
          line.target = `http://localhost:${await freePort()}`;
          const front = await startFront(line.target, [app.origin], 100_000_000);
          closing.push(() => front.stop());
        }
        const profile = await mkdtemp(join(folder, "profile-"));
        let browser = await startBrowser(profile);
        closing.push(() => browser.kill());

        /** The offset in the app, or the numbers of the parts in the store. */
        let offset = 0;
        const parts = new Map<string, number>();
        let sentTwice = 0;
        const watch = (context: BrowserContext) => {
          context.on("request", (request) => {
            const at = request.headers()["upload-offset"];
            if (request.method() === "PATCH" && Number(at) < offset) sentTwice += offset - Number(at);
            const part = partOf(request.method(), request.url(), request.headers());
            if (part && parts.has(part)) sentTwice += parts.get(part) ?? 0;
          });
          context.on("response", async (response) => {
            const headers = response.headers();
            if (headers["upload-offset"]) offset = Math.max(offset, Number(headers["upload-offset"]));
            const request = response.request();
            const part = partOf(request.method(), request.url(), request.headers());
            if (part && response.ok() && !(await response.finished())) parts.set(part, partBytes(part));
          });
        };
        watch(browser.context);
        let page = await browser.context.newPage();
        const url = `${standIn ? app.origin : line.origin}/files`;
        await page.goto(url);
        await choose(page);
        const world: World = {
          page,
          context: browser.context,
          app,
          line,
          acknowledged: () => offset + [...parts.values()].reduce((sum, bytes) => sum + bytes, 0),
          again: async (reopen) => {
            page = await reopen();
            await expectPage(page.getByText("Choose the same file again")).toBeVisible({ timeout: minutes });
            await choose(page);
          },
          killBrowser: async () => {
            // The browser writes cookies to its disk after half a minute. People have had theirs for longer.
            const cookies = await browser.context.cookies();
            await browser.kill();
            browser = await startBrowser(profile);
            await browser.context.addCookies(cookies);
            watch(browser.context);
            const reopened = await browser.context.newPage();
            await reopened.goto(url);
            return reopened;
          },
        };
        await disturb(world);
        await expectPage(page.getByRole("link", { name: "film.mp4", exact: true })).toBeVisible({
          timeout: 10 * minutes,
        });
        await expectPage(page.getByRole("progressbar")).toBeHidden({ timeout: minutes });

        const { rows: files } = await app.database.query('SELECT "sha256", "size" FROM "_storage"');
        expect(files).toEqual([{ sha256, size: String(size) }]);
        // Vercel Blob does not say which parts it has. The browser may end before it has written down the last answers.
        const isForgotten = kind === "Vercel Blob" && name === "a browser that is killed";
        expect(sentTwice).toBeLessThanOrEqual(isForgotten ? 3 * 16 * mebibyte : 0);
        const left = await app.database.query(
          'SELECT (SELECT count(*) FROM "_unfinished_uploads") + (SELECT count(*) FROM "_unowned_blobs") AS "left"',
        );
        expect(left.rows).toEqual([{ left: "0" }]);
        if (!standIn) expect(await readdir(join(app.env.STORAGE_DISK_PATH ?? "", "partial"))).toEqual([]);
        console.info(`${kind}, ${name}: ${line.breaks()} breaks, ${sentTwice} of ${size} bytes sent twice`);
      });
    }
  }

  for (const [kind, open] of Object.entries(kinds)) {
    test(`scripts/upload.sh to ${kind}, run again after each failure, continues`, {
      timeout: 15 * minutes,
    }, async () => {
      const { standIn, settings } = await open();
      if (standIn) closing.push(() => standIn.stop());
      const line = await openLine(standIn?.url ?? "http://localhost");
      closing.push(() => line.close());
      const own = standIn ? throughLine(settings, standIn, line) : { APP_ORIGIN: line.origin };
      const app = await startApp(own);
      closing.push(() => app.stop());
      if (!standIn) line.target = app.origin;
      const url = await app.api.files.generateUploadUrl.mutate({});
      const upload = () => promisify(execFile)("sh", ["scripts/upload.sh", url, film, "video/mp4"]);
      for (const share of [0.4, 0.3]) {
        line.breakAfter(size * share, "cut");
        await expect(upload()).rejects.toThrow();
      }
      const { stdout } = await upload();
      const { storageId } = JSON.parse(stdout);
      const { rows } = await app.database.query('SELECT "_id", "sha256", "contentType" FROM "_storage"');
      expect(rows).toEqual([{ _id: storageId, sha256, contentType: "video/mp4" }]);
    });
  }

  test("five thousand files from a folder: all arrive, and the page stays smooth", {
    timeout: 30 * minutes,
  }, async () => {
    const many = join(folder, "many");
    await mkdir(many);
    const count = Number(process.env.UPLOAD_SOAK_FILES ?? 5_000);
    for (let n = 0; n < count; n++) await writeFile(join(many, `${n}.txt`), `${n}`.padEnd(1_000));
    // The queue waits for the rate limit, too.
    const app = await startApp({ RATE_LIMIT_UPLOADS: String(Math.ceil(count / 2)) });
    closing.push(() => app.stop());
    const browser = await startBrowser(await mkdtemp(join(folder, "profile-")));
    closing.push(() => browser.kill());
    const page = await browser.context.newPage();
    await page.goto(`${app.origin}/files`);
    await expectPage(page.getByText("Drop files of any type")).toBeVisible({ timeout: minutes });
    const session = await browser.context.newCDPSession(page);
    await session.send("Performance.enable");
    const heap = async () => {
      await session.send("HeapProfiler.collectGarbage");
      const { metrics } = await session.send("Performance.getMetrics");
      return Math.round((metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? 0) / mebibyte);
    };
    const before = await heap();
    const endRecording = await recordTasks(session);
    const data = { items: [], files: [many], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"] as const) {
      await session.send("Input.dispatchDragEvent", { type, x: 200, y: 300, data });
    }
    await expectPage(page.getByText(/and \d+ more/)).toBeVisible({ timeout: minutes });
    const countSaved = async () =>
      (await app.database.query("SELECT count(*)::int AS saved FROM files")).rows[0]?.saved;
    await expectPage.poll(countSaved, { timeout: 5 * minutes }).toBeGreaterThanOrEqual(Math.min(count / 4, 1_000));
    const [drop, ...tasks] = await endRecording();
    await expectPage(page.getByRole("list", { name: "Uploads" })).toBeHidden({ timeout: 25 * minutes });
    const { rows } = await app.database.query("SELECT count(*)::int, count(DISTINCT name)::int AS names FROM files");
    expect(rows).toEqual([{ count, names: count }]);
    const grown = (await heap()) - before;
    console.info(
      `${count} files: the drop took ${drop} ms, the longest task after it ${tasks[0]} ms; memory grew by ${grown} MiB`,
    );
    // The browser hands over all files of a folder in one task.
    expect(tasks[0]).toBeLessThanOrEqual(50);
    expect(grown).toBeLessThan(40);
  });

  test("Uppy, as it comes from the registry, continues after cut lines", { timeout: 15 * minutes }, async () => {
    const packages = await mkdtemp(join(folder, "uppy-"));
    await promisify(execFile)("npm", ["install", "--prefix", packages, "--no-audit", "--no-fund", ...uppy]);
    await writeFile(
      join(packages, "entry.js"),
      'export { default as Uppy } from "@uppy/core";\nexport { default as Tus } from "@uppy/tus";',
    );
    const built = await build({
      ...{ configFile: false, logLevel: "error", root: packages, define: { "process.env.NODE_ENV": '"production"' } },
      build: { write: false, lib: { entry: join(packages, "entry.js"), formats: ["iife"], name: "uppyOfTest" } },
    });
    const [bundle] = [built].flat().flatMap((result) => ("output" in result ? result.output : []));
    const line = await openLine("http://localhost");
    closing.push(() => line.close());
    const app = await startApp({ APP_ORIGIN: line.origin });
    closing.push(() => app.stop());
    line.target = app.origin;
    const browser = await startBrowser(await mkdtemp(join(folder, "profile-")));
    closing.push(() => browser.kill());
    const page = await browser.context.newPage();
    await page.goto(`${line.origin}/api/health/live`);
    const url = await app.api.files.generateUploadUrl.mutate({});
    line.breakAfter(10 * mebibyte, "cut");
    const code = bundle && "code" in bundle ? bundle.code : "";
    const length = 30 * mebibyte;
    const failed = await page.evaluate(
      `${code}; (async () => {
        const uppy = new uppyOfTest.Uppy().use(uppyOfTest.Tus, { endpoint: ${JSON.stringify(url)}, chunkSize: 8 << 20 });
        uppy.addFile({ name: "a.bin", type: "video/mp4", data: new File([new Uint8Array(${length})], "a.bin") });
        return (await uppy.upload()).failed.length;
      })()`,
    );
    expect([failed, line.breaks()]).toEqual([0, 1]);
    const { rows } = await app.database.query('SELECT "size"::int, "sha256", "contentType" FROM "_storage"');
    const zeros = createHash("sha256").update(Buffer.alloc(length)).digest("hex");
    expect(rows).toEqual([{ size: length, sha256: zeros, contentType: "video/mp4" }]);
  });
});

const uppy = ["@uppy/core@6.3.1", "@uppy/tus@6.0.0"];

/** Settings with which the server reaches the store through the line, too. */
const throughLine = (settings: Record<string, string>, standIn: StandIn, line: Line) =>
  Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [
      key,
      key === "BLOB_HOST_STAND_IN" ? value : value.replace(standIn.url, line.origin),
    ]),
  );

const partBytes = (part: string) => {
  const number = Number(part.split(" ").at(-1));
  return Math.min(16 * mebibyte, size - (number - 1) * 16 * mebibyte);
};

/** The upload and the number of the part that a request sends to a store. */
function partOf(method: string, url: string, headers: IncomingMessage["headers"] | Record<string, string>) {
  const { searchParams } = new URL(url);
  const number = searchParams.get("partNumber") ?? (method === "POST" ? headers["x-mpu-part-number"] : undefined);
  return number ? `${searchParams.get("uploadId") ?? String(headers["x-mpu-upload-id"])} ${String(number)}` : null;
}
