import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { env } from "~/kit/process/env";
import { collectGarbage } from "~/kit/storage/garbage-collection";
import { storeIdKey } from "~/kit/storage/store-id";
import { createFileUrl } from "~/kit/storage/tokens";
import { ageFiles, ageListings } from "./age";
import { createClient } from "./client";
import type { Crowd, KnownFile } from "./crowd";
import { sha256Of } from "./file-body";
import type { Fleet } from "./fleet";

/** The result of `examine` when nothing is wrong. */
export const sound = {
  violations: [],
  answeredWithoutRow: [],
  rowsNobodyWasToldOf: [],
  rowsWithoutBlob: [],
  blobsWithoutRow: [],
  rowsOfOtherBytes: [],
  stillListed: [],
  savedWithoutRow: [],
  savedNobodyWasToldOf: [],
  servedWrongly: [],
  uploadUrlsNotUsed: [],
};

/**
 * Runs garbage collection. Then compares the answers that clients received with the rows, with the bytes on the disk, and
 * with what a fleet serves. Killed servers must have been stopped before.
 */
export async function examine(crowd: Crowd, fleet: Pick<Fleet, "origin">) {
  await vi.waitFor(expectIdleDatabase, { timeout: 20_000 });
  const { files, violations } = crowd;
  await ageFiles(idsOf(files.filter(({ fate }) => fate === "abandoned")));
  await ageListings();
  await collectGarbage();

  const kept = files.filter(({ fate }) => fate === "kept");
  const rows = await prisma.storage.findMany({ omit: { blobKey: false } });
  const variants = await prisma.storageVariant.findMany({ where: { result: "made" }, omit: { blobKey: false } });
  const owners = [...rows, ...variants];
  const keys = owners.map(({ blobKey }) => blobKey);
  const saved = (await prisma.file.findMany()).map(({ storageId }) => storageId);
  const shouldBeSaved = idsOf(kept.filter((file) => file.saved));
  const stored = await storedFiles();
  const listed = await prisma.unownedBlob.findMany();
  return {
    violations,
    answeredWithoutRow: without(idsOf(kept), idsOf(rows)),
    rowsNobodyWasToldOf: without(idsOf(rows), idsOf(kept)),
    rowsWithoutBlob: without(keys, [...stored.keys()]),
    blobsWithoutRow: without([...stored.keys()], keys),
    rowsOfOtherBytes: owners.flatMap(({ blobKey, sha256 }) => (stored.get(blobKey) === sha256 ? [] : [blobKey])),
    stillListed: listed.map(({ blobKey }) => blobKey),
    savedWithoutRow: without(shouldBeSaved, saved),
    savedNobodyWasToldOf: without(saved, shouldBeSaved),
    servedWrongly: await failing(files, (file) => isServedRightly(file, fleet)),
    uploadUrlsNotUsed: await failing(files.slice(0, 500), (file) => isUsed(file, fleet)),
  };
}

/** A statement that a server was running when it was killed may end a moment later. */
async function expectIdleDatabase(): Promise<void> {
  const [others] = await prisma.$queryRaw<{ active: number }[]>`
    SELECT count(*)::int AS active FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`;
  if (others?.active !== 0) throw new Error("The database is still at work");
}

/** SHA-256 by name, of every file in the blob store's folder. */
async function storedFiles(): Promise<Map<string, string>> {
  const entries = await readdir(env.STORAGE_DISK_PATH, { recursive: true, withFileTypes: true });
  const hashes = new Map<string, string>();
  for (const entry of entries.filter((entry) => entry.isFile() && entry.name !== storeIdKey)) {
    hashes.set(entry.name, sha256Of(await readFile(join(entry.parentPath, entry.name))));
  }
  return hashes;
}

async function isServedRightly(file: KnownFile, fleet: Pick<Fleet, "origin">): Promise<boolean> {
  const answer = await createClient(fleet).get(createFileUrl("", file.id));
  if (file.fate !== "kept") return answer?.status === 404;
  return answer?.status === 200 && sha256Of(answer.body) === file.sha256;
}

async function isUsed(file: KnownFile, fleet: Pick<Fleet, "origin">): Promise<boolean> {
  const answer = await createClient(fleet).post(file.uploadPath, "again", {});
  return answer?.status === 409 && answer.body.storageId === file.id;
}

/** The ids of the files for which it does not hold. */
async function failing(files: KnownFile[], holds: (file: KnownFile) => Promise<boolean>): Promise<string[]> {
  const failed: string[] = [];
  const left = [...files];
  const work = async () => {
    for (let file = left.pop(); file; file = left.pop()) if (!(await holds(file))) failed.push(file.id);
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return failed;
}

const idsOf = (items: { id: string }[]) => items.map(({ id }) => id);

function without(these: string[], those: string[]): string[] {
  const known = new Set(those);
  return these.filter((item) => !known.has(item));
}
