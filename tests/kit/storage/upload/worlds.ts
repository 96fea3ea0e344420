import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { vi } from "vitest";
import { blobs } from "~/kit/storage/blobs";
import { diskDriver } from "~/kit/storage/drivers/disk";
import { s3Driver } from "~/kit/storage/drivers/s3";
import { vercelBlobDriver } from "~/kit/storage/drivers/vercel-blob";
import { deleteUnownedBlobs } from "~/kit/storage/garbage-collection";
import { appendsOf, directOf, type Store, twoStores } from "~/kit/storage/two-stores";
import { createRandom, type Random } from "../../crash/random";
import { redirectBlobHost } from "../../stand-ins/redirect-blob-host.mjs";
import { type S3Store, startS3 } from "../../stand-ins/s3";
import { readWriteToken, startVercelBlob } from "../../stand-ins/vercel-blob";
import { openFiles } from "../kit";
import { failDisk, failRequests, failStatements } from "./faults";
import { clock, expectNothingLeft, type History } from "./histories";

/** A store whose calls can fail, in the place of the app's. */
export interface World {
  use(): void;
  /** Also sends parts straight to the store. */
  hasDirect: boolean;
  disturb(random: Random): void;
  leftovers(): Promise<number>;
}

export const partBytes = 1000;

/** All stores, with small parts. */
export async function openWorlds(): Promise<{
  worlds: Record<string, World>;
  s3: S3Store;
  close: () => Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), "worlds-"));
  const s3 = await startS3("Amazon", partBytes);
  const vercel = await startVercelBlob(undefined, partBytes);
  const restoreHost = redirectBlobHost(vercel.url);
  Object.assign(process.env, s3.settings, {
    ...{ AWS_MAX_ATTEMPTS: "1", VERCEL_BLOB_RETRIES: "0" },
    ...{ VERCEL_BLOB_API_URL: vercel.apiUrl, BLOB_READ_WRITE_TOKEN: readWriteToken },
  });
  // The store of the test file gets its id.
  await deleteUnownedBlobs();
  failStatements();
  await failDisk(folder);
  failRequests(s3, { withSilence: true });
  failRequests(vercel, { withSilence: false });
  const { S3_BUCKET: bucket, S3_REGION: region, S3_ENDPOINT: endpoint } = s3.settings;

  const disk: Store = { name: "disk", driver: diskDriver(folder) };
  const bucketed: Store = {
    name: "s3",
    driver: s3Driver({ bucket, region, endpoint, stallTimeoutMs: 1_500, appendedPartBytes: partBytes }),
  };
  const hosted: Store = { name: "vercel-blob", driver: vercelBlobDriver({ appendedPartBytes: partBytes }) };
  const none = { getWhole: undefined, getNative: undefined, space: undefined, isLocal: undefined, signUrl: undefined };
  const put = (store: Store) =>
    void Object.assign(blobs, none, store.driver, { append: appendsOf(store), direct: directOf(store) });
  const both = (first: Store, second: Store) =>
    void Object.assign(blobs, none, { direct: undefined }, twoStores(first, second));
  const partial = async () => {
    const names = await readdir(join(folder, "partial")).catch(() => []);
    return names.length + (await openFiles(folder));
  };
  const uploads = async () => (await s3.count()).uploads;
  const still = () => undefined;
  return {
    s3,
    worlds: {
      disk: { use: () => put(disk), hasDirect: false, disturb: still, leftovers: partial },
      s3: { use: () => put(bucketed), hasDirect: true, disturb: still, leftovers: uploads },
      // The store has no call that ends an upload in parts.
      "vercel-blob": { use: () => put(hosted), hasDirect: true, disturb: still, leftovers: async () => 0 },
      "two stores": {
        use: () => both(bucketed, disk),
        hasDirect: false,
        disturb: (random) => {
          if (random.chance(0.1))
            both(
              ...random.pick<[Store, Store]>([
                [bucketed, disk],
                [disk, bucketed],
              ]),
            );
        },
        leftovers: async () => (await partial()) + (await uploads()),
      },
    },
    async close() {
      restoreHost();
      await Promise.all([s3.stop(), vercel.stop()]);
      await rm(folder, { recursive: true });
    },
  };
}

/** Runs random histories, each of its own seed, until three have failed. Returns what happened in these. */
export async function runHistories(
  world: World,
  run: (history: History) => Promise<void>,
  { first, count }: { first: number; count: number },
): Promise<string[]> {
  const failures: string[] = [];
  const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const now = performance.now.bind(performance);
  const time = vi.spyOn(performance, "now").mockImplementation(() => now() + clock.skipped);
  world.use();
  for (let seed = first; seed < first + count && failures.length < 3; seed++) {
    const random = createRandom(seed);
    const history: History = {
      random,
      faults: random.pick([0, 0.02, 0.05, 0.1]),
      lines: [`seed ${seed}`],
      partBytes,
      disturb: () => world.disturb(random),
      leftovers: world.leftovers,
    };
    await run(history).catch(async (failure) => {
      failures.push(`seed ${seed}: ${failure.message} ${failure.cause ? inspect(failure.cause) : ""}`);
      await expectNothingLeft({ ...history, lines: [] }, null).catch(() => undefined);
    });
  }
  error.mockRestore();
  time.mockRestore();
  return failures;
}
