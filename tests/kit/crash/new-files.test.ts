import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { storeIdKey } from "~/kit/storage/store-id";
import { eventually } from "../eventually";
import { everything, storage } from "../storage/kit";
import type { CrashPoint } from "./fleet";
import { pointsAround, storageSteps } from "./points";
import { createRandom } from "./random";
import { report, scale } from "./scale";
import { type BundledServer, bundleServer, type ServerProcess } from "./server-process";

// Servers that are killed while a file comes in, goes out, or is worked on by the app's onStored functions.

let server: BundledServer;
const bytes = Buffer.alloc(400_000, "0123456789");
const site = createServer((_, response) => response.end(bytes));
beforeAll(async () => {
  server = await bundleServer();
  await once(site.listen(0, "127.0.0.1"), "listening");
}, 60_000);
afterAll(async () => {
  site.close();
  await server.remove();
});

const url = () => `http://files.test:${(site.address() as AddressInfo).port}/a`;
const post = (path: string, body?: BodyInit) => (origin: string) => fetch(`${origin}${path}`, { method: "POST", body });
/** The ways by which files come: each sends some to a server. */
const ways = {
  url: async (origin: string) => {
    const { pathname, search } = new URL(await storage.generateUploadUrl());
    return post(pathname + search, new Blob([bytes]))(origin);
  },
  form: async (origin: string) => {
    const form = new FormData();
    for (const name of ["a", "b", "c"]) form.append("file", new Blob([bytes]), name);
    return post("/http/form", form)(origin);
  },
  storeFrom: (origin: string) => post(`/http/from?url=${encodeURIComponent(url())}`)(origin),
};

const insert = "sql DELETE _unowned_blobs, INSERT _spent_uploads, INSERT _storage, INSERT _scheduled_functions";
const sample: [keyof typeof ways, CrashPoint, number][] = [
  ["url", `after ${insert}`, 0],
  ["form", `before ${insert}`, 1],
  ["form", "after sql COMMIT", 0],
  ["storeFrom", "after disk write", 0],
  ["storeFrom", `after ${insert}`, 0],
  // The mutation of a job has written its row, and is not committed.
  ["url", "after sql INSERT messages", 0],
];

/** In the soak, points of all steps, for each way, at random. */
const random = createRandom(scale.seed);
const names = ["url", "form", "storeFrom"] as const;
const steps = [...storageSteps.slice(0, 6), insert, "sql INSERT messages", "sql INSERT _ended_jobs", "sql COMMIT"];
const points =
  scale.newFileKills > sample.length
    ? pointsAround(steps, scale.newFileKills).map((point): (typeof sample)[number] => [
        random.pick(names),
        point,
        random.pick([0, 0, 1, 2]),
      ])
    : sample;

test(
  "killed at any step: no blob without an owner, and each file's mutation runs once and its action at most once",
  async () => {
    report(`Kills ${points.length} servers that take files, seed ${scale.seed}`);
    for (const [way, point, skip] of points) {
      const { child, origin } = await server.launch({ ON_STORED: "1", CRASH_AT: point, CRASH_SKIP: `${skip}` });
      const exit = once(child, "exit");
      // If the server does not come to the step that often, it is killed after its answer.
      await ways[way](origin).then(
        () => setTimeout(() => child.kill("SIGKILL"), 100),
        () => undefined,
      );
      await exit;
      expect([point, await orphans()]).toEqual([point, []]);
    }
    const last = await server.launch({ ON_STORED: "1" });
    await ways.form(last.origin);
    await eventually(async () => {
      const waiting = await prisma.scheduledFunction.count({ where: { name: "crash.countStored", state: "pending" } });
      expect(waiting).toBe(0);
    });
    await stop(last);
    const files = (await prisma.storage.findMany()).map(({ id }) => id).sort();
    const told = async (author: string) =>
      (await prisma.message.findMany({ where: { author } })).map(({ body }) => body).sort();
    expect(await told("stored")).toEqual(files);
    const seen = await told("seen");
    expect([new Set(seen).size, seen.filter((id) => !files.includes(id))]).toEqual([seen.length, []]);
  },
  scale.limit,
);

test("killed while it serves a file or a ZIP: the client is told, and nothing is left", async () => {
  const id = await storage.store(new Blob([Buffer.alloc(32_000_000)]));
  for (const path of [`/http/file/${id}`, `/http/zip/${id}`]) {
    const { child, origin } = await server.launch({});
    const response = await fetch(origin + path);
    const reader = response.body?.getReader();
    await reader?.read();
    child.kill("SIGKILL");
    const rest = async () => {
      for (let next = await reader?.read(); next && !next.done; next = await reader?.read());
    };
    await expect(rest()).rejects.toThrow();
  }
  expect(await orphans()).toEqual([]);
}, 60_000);

async function stop({ child }: ServerProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

/** Blobs in the store, also unfinished ones, that no file owns and that garbage collection does not know of. */
async function orphans(): Promise<string[]> {
  const owned = await prisma.storage.findMany({ omit: { blobKey: false } });
  const listed = await prisma.unownedBlob.findMany();
  const known = [storeIdKey, ...[...owned, ...listed].map(({ blobKey }) => blobKey)];
  const { blobs } = await everything();
  return blobs.filter((name) => !known.some((key) => name.includes(key)));
}
