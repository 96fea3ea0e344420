import { type ChildProcess, execFile } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { bytesIn, copyIn, exportApp, importApp } from "~/kit/storage/backup";
import { blobs } from "~/kit/storage/blobs";
import { s3Driver } from "~/kit/storage/drivers/s3";
import { collectGarbage } from "~/kit/storage/garbage-collection";
import { compareWithStore, repair } from "~/kit/storage/reconcile";
import { storeIdKey } from "~/kit/storage/store-id";
import { createDatabase } from "../../database";
import { api, apiOf, uploadFile } from "../caller";
import { startS3 } from "../stand-ins/s3";

// Sets this before the settings are first imported and read.
vi.hoisted(() => {
  process.env.DELETED_FILE_RETENTION_HOURS = "24";
});
// Each command is a process.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const ann = apiOf("ann");
const folders: string[] = [];
const clients: pg.Client[] = [];

async function newFolder() {
  const folder = await mkdtemp(join(tmpdir(), "backup-"));
  folders.push(folder);
  return folder;
}

async function clientOf(connectionString = process.env.DATABASE_URL) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  clients.push(client);
  return client;
}

async function newDatabase() {
  const { url, drop } = await createDatabase();
  afterAll(drop);
  return { url, client: await clientOf(url) };
}

afterAll(async () => {
  for (const client of clients) await client.end();
  for (const folder of folders) await rm(folder, { recursive: true });
});

/** An empty database that belongs to the same store, like one that was restored to an earlier time. */
async function newDatabaseOfStore() {
  const { client } = await newDatabase();
  const stored = await blobs.get(storeIdKey);
  const id = JSON.stringify(stored && (await new Response(stored).text()));
  if (stored) await client.query(`INSERT INTO "_system_state" ("key", "value") VALUES ('storeId', $1)`, [id]);
  return client;
}

async function save(size: number) {
  const storageId = await uploadFile(randomBytes(size), "image/png", ann);
  await ann.files.saveFile({ storageId, name: `${size} bytes` });
  return storageId;
}

beforeAll(async () => {
  await Promise.all(Array.from({ length: 120 }, (_, index) => save(index * 101)));
  await Promise.all(
    Array.from({ length: 20 }, (_, index) => ann.messages.sendMessage({ author: "Ann", body: `${index}` })),
  );
  await api.messages.sendImage({ author: "Bob", storageId: await uploadFile(randomBytes(1_000)) });
});

/** The rows of the finished export in a folder, by table. */
async function rowsIn(folder: string) {
  const [snapshot = "", ...more] = await readdir(join(folder, "snapshots"));
  expect(more).toEqual([]);
  const files = await readdir(join(folder, "snapshots", snapshot));
  const tables = files.filter((name) => name.endsWith(".jsonl"));
  const read = async (name: string) =>
    (await readFile(join(folder, "snapshots", snapshot, name), "utf8")).split("\n").filter(Boolean).sort();
  return new Map(await Promise.all(tables.map(async (name) => [name.slice(0, -6), await read(name)] as const)));
}

describe("an export under load, killed and repeated", () => {
  const kit = (args: string[], env: Record<string, string> = {}) =>
    execFile(process.execPath, ["scripts/kit.mjs", ...args], { env: { ...process.env, ...env } });

  async function ended(child: ChildProcess) {
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
    });
    child.stderr?.on("data", (chunk) => {
      text += chunk;
    });
    const [status] = await once(child, "close");
    expect(text).not.toMatch(/Error|failed/);
    expect(status).toBe(0);
    return text;
  }

  /** Kills a command as soon as it has done part of its work. */
  async function killAfterSome(child: ChildProcess, count: () => Promise<number>) {
    await vi.waitFor(async () => expect(await count()).toBeGreaterThan(0), { timeout: 120_000, interval: 5 });
    child.kill("SIGKILL");
    const [, signal] = await once(child, "close");
    expect(signal).toBe("SIGKILL");
  }

  test("is imported into another database and another kind of store: every row, every byte, and no orphan", async () => {
    const folder = await newFolder();
    let isOver = false;
    const load = Promise.all(
      [1, 2].map(async () => {
        while (!isOver) {
          const [kept, gone] = [await save(5_000), await save(7_000)];
          await ann.messages.sendMessage({ author: "Ann", body: kept });
          await ann.files.delete({ storageId: gone });
        }
      }),
    );
    const copied = async () => (await readdir(join(folder, "files"), { recursive: true }).catch(() => [])).length;
    onTestFinished(async () => {
      isOver = true;
      await load;
    });
    await killAfterSome(kit(["export", folder]), copied);
    const snapshots = await readdir(join(folder, "snapshots"), { recursive: true });
    expect(snapshots.filter((name) => name.endsWith("export.json"))).toEqual([]);
    expect(await ended(kit(["export", folder]))).toMatch(/Exported \d+ rows/);
    const rows = await rowsIn(folder);
    const files = rows.get("_storage") ?? [];
    expect(files.length).toBeGreaterThan(120);

    const { url, client } = await newDatabase();
    const store = await startS3();
    const env = { DATABASE_URL: url, STORAGE_DRIVER: "s3", ...store.settings };
    await killAfterSome(kit(["import", folder], env), async () => (await store.count()).blobs);
    expect(await ended(kit(["import", folder], env))).toContain(`${files.length} files whose digests are right`);

    for (const [table, exported] of rows) {
      const { rows: found } = await client.query(`SELECT row_to_json(t)::text AS row FROM "${table}" AS t`);
      expect(found.map(({ row }) => row).sort(), table).toEqual(exported.filter((row) => !row.includes('"storeId"')));
    }
    Object.assign(process.env, store.settings);
    const driver = s3Driver({
      bucket: store.settings.S3_BUCKET,
      region: "us-east-1",
      endpoint: store.settings.S3_ENDPOINT,
    });
    for (const file of files.map((row) => JSON.parse(row))) {
      const bytes = await new Response(await driver.get(file.blobKey)).arrayBuffer();
      expect(createHash("sha256").update(Buffer.from(bytes)).digest("hex")).toBe(file.sha256);
    }
    expect((await store.count()).blobs).toBe(files.length);
    // The triggers and foreign keys exist again.
    await expect(client.query(`DELETE FROM "_storage"`)).rejects.toThrow();
    await expect(client.query(`UPDATE "files" SET "storageId" = gen_random_uuid()`)).rejects.toThrow(/foreign key/);
    await store.stop();
  });
});

test("a second export copies only what is new, and one of a file that was erased meanwhile says so", async () => {
  const [folder, client] = [await newFolder(), await clientOf()];
  const first = await exportApp(client, folder);
  expect([first.kept, first.erased, first.damaged]).toEqual([0, [], []]);
  await save(11);
  const storageId = await save(12);
  const { rows } = await client.query(`SELECT "blobKey" FROM "_storage" WHERE "_id" = $1`, [storageId]);
  await blobs.delete(rows[0].blobKey);
  const second = await exportApp(client, folder);
  expect([second.copied, second.kept, second.erased]).toEqual([1, first.copied, [storageId]]);

  const copy = await newDatabaseOfStore();
  expect(await importApp(copy, folder)).toMatchObject({ files: first.copied + 1, missing: [storageId] });
  const gone = await copy.query(`SELECT FROM "_storage" WHERE "_id" = $1`, [storageId]);
  const sum = await copy.query(`SELECT sum("files")::int AS "files" FROM "_storage_totals"`);
  expect([gone.rowCount, sum.rows[0].files]).toEqual([0, first.copied + 1]);
  await ann.files.delete({ storageId });
});

test("a database that was restored to an earlier time finds every byte, and what differs is found and repaired", async () => {
  const [folder, client] = [await newFolder(), await clientOf()];
  const { tables } = await exportApp(client, folder);
  // The database of an earlier moment, beside the current store.
  const earlier = await newDatabaseOfStore();
  await importApp(earlier, folder);
  const { page } = await ann.files.list({ limit: 5 });
  for (const { storageId } of page) await ann.files.delete({ storageId });
  // The app keeps the bytes for as long as the setting says.
  await collectGarbage();
  await save(21);
  const later = await client.query(`SELECT "blobKey" FROM "_storage" ORDER BY "_id" DESC LIMIT 1`);
  const found = await compareWithStore(earlier);
  expect([found.files, found.missing]).toEqual([tables._storage, []]);
  expect(found.orphans.map(({ key }) => key)).toContain(later.rows[0].blobKey);

  const { rows: files } = await earlier.query(
    `SELECT "blobKey", "size"::int FROM "_storage" ORDER BY "size" DESC LIMIT 2`,
  );
  const [lost, cut] = files;
  await blobs.delete(lost.blobKey);
  await blobs.delete(cut.blobKey);
  await blobs.put(cut.blobKey, new Blob(["cut"]).stream());
  const broken = await compareWithStore(earlier);
  expect(broken.missing.map(({ stored }) => stored).sort()).toEqual([3, null]);
  // Without an export, the bytes cannot be restored.
  expect(await repair(earlier, broken)).toHaveLength(2);
  expect(await repair(earlier, broken, folder)).toEqual([]);
  expect(await compareWithStore(earlier)).toMatchObject({ missing: [], orphans: [] });
  const { rows: listed } = await earlier.query(`SELECT FROM "_unowned_blobs" WHERE "blobKey" = $1`, [
    later.rows[0].blobKey,
  ]);
  expect(listed).toHaveLength(1);
});

test("an import is refused into a database with rows or other migrations, without an export, and of damaged bytes", async () => {
  const [folder, client] = [await newFolder(), await clientOf()];
  await expect(importApp(client, folder)).rejects.toThrow(/has no finished export/);
  await exportApp(client, folder);
  await expect(importApp(client, folder)).rejects.toThrow(/not empty: \S+ has rows/);
  const { client: other } = await newDatabase();
  await other.query(`DELETE FROM "_prisma_migrations" WHERE migration_name LIKE '%guard_files'`);
  await expect(importApp(other, folder)).rejects.toThrow(/other migrations/);

  const { rows } = await client.query(`SELECT *, "size"::int AS "size" FROM "_storage" WHERE "size" > 100 LIMIT 1`);
  const file = { ...rows[0], blobKey: randomUUID() };
  await writeFile(bytesIn(folder, file.sha256), randomBytes(file.size));
  await expect(copyIn(folder, file)).rejects.toThrow(/damaged/);
  expect(await blobs.head(file.blobKey)).toBeNull();
  await rm(bytesIn(folder, file.sha256));
  await expect(copyIn(folder, file)).rejects.toThrow(/are not in/);
});
