import { randomUUID } from "node:crypto";
import { maintenance } from "../database/database";
import { processWide } from "../process/process-wide";
import { blobs } from "./blobs";

/** The key of the blob in which the store keeps its id. No blob of a file has this key. */
export const storeIdKey = "00000000-0000-4000-8000-000000000000";
const stateKey = "storeId";

/** The files in the database are in another store. */
export class ForeignStore extends Error {
  override name = "ForeignStore";
}

const compared = processWide("store comparison", () => ({ promise: null as Promise<string | null> | null }));

/**
 * Refuses garbage collection unless this store belongs to this database. A process compares them once.
 * @throws ForeignStore
 */
export async function refuseForeignStore(): Promise<void> {
  compared.promise ??= compare();
  try {
    const problem = await compared.promise;
    if (problem) throw new ForeignStore(problem);
  } catch (error) {
    // A store or a database that does not answer may answer the next time.
    if (!(error instanceof ForeignStore)) compared.promise = null;
    throw error;
  }
}

/** Returns what is wrong and what to do, or `null` when the store and the database belong together. */
async function compare(): Promise<string | null> {
  const [known, stored] = await Promise.all([readState(), readStore()]);
  return known !== null && stored === known ? null : agree();
}

/**
 * Gives the store or the database the id that it lacks. Takes a lock, because a failed write to the store deletes the blob that
 * is there, which another process may have written just before.
 */
async function agree(): Promise<string | null> {
  return maintenance.$transaction(
    async (client) => {
      await client.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${stateKey}, 0))`;
      const [known, stored] = [await readState(client), await readStore()];
      if (known === null) {
        // This is the first start, or an old store with a new database. The store is written first: after a crash between
        // the two writes, the database takes the id that it finds there.
        const id = stored ?? randomUUID();
        if (stored === null) await writeStore(id);
        await client.systemState.create({ data: { key: stateKey, value: id } });
        return null;
      }
      if (stored === known) return null;
      if (stored === null && (await client.storage.findFirst({ select: { id: true } })) === null) {
        await writeStore(known);
        return null;
      }
      return explain(known, stored);
    },
    { maxWait: 60_000, timeout: 60_000 },
  );
}

const explain = (known: string, stored: string | null) =>
  `The database belongs to the blob store ${known}, and this one ${stored === null ? "has no id" : `is ${stored}`}. ` +
  "Clean-up is refused: it would forget or delete files of the other. Is DATABASE_URL that of another deployment, or did the " +
  "store change? When the files were moved here, copy the object " +
  `${storeIdKey} too, or accept this store: DELETE FROM "_system_state" WHERE "key" = '${stateKey}', and start again.`;

async function writeStore(id: string): Promise<void> {
  // The key is always the same. A process that was killed while it wrote may have left its unfinished file.
  await blobs.delete(storeIdKey);
  await blobs.put(storeIdKey, new Blob([id]).stream(), "text/plain");
}

async function readState(client: Pick<typeof maintenance, "systemState"> = maintenance): Promise<string | null> {
  const state = await client.systemState.findUnique({ where: { key: stateKey } });
  return typeof state?.value === "string" ? state.value : null;
}

async function readStore(): Promise<string | null> {
  const body = await blobs.get(storeIdKey);
  return body && new Response(body).text();
}
