import { randomUUID } from "node:crypto";
import { maintenance } from "../database/database";
import { processWide } from "../process/process-wide";
import { blobs } from "./driver";

/** Where the store keeps its id, among the blobs; no blob of a file is ever named so. */
export const storeIdKey = "00000000-0000-4000-8000-000000000000";
const stateKey = "storeId";

/** The store is not the one whose files the database lists. */
export class ForeignStore extends Error {
  override name = "ForeignStore";
}

const compared = processWide("store comparison", () => ({ promise: null as Promise<string | null> | null }));

/**
 * Refuses what deletes bytes, or rows for want of a reference, unless the store is the one that belongs to the database.
 * Looked at once in a process.
 * @throws ForeignStore
 */
export async function refuseForeignStore(): Promise<void> {
  compared.promise ??= compare();
  try {
    const problem = await compared.promise;
    if (problem) throw new ForeignStore(problem);
  } catch (error) {
    // A store or a database that does not answer may do so the next time.
    if (!(error instanceof ForeignStore)) compared.promise = null;
    throw error;
  }
}

/** What is wrong, with what to do; `null` when the two belong together. */
async function compare(): Promise<string | null> {
  const [known, stored] = await Promise.all([readState(), readStore()]);
  return known !== null && stored === known ? null : agree();
}

/**
 * Gives the store or the database the id that it lacks. One process at a time: a write of the store that fails removes what
 * is there, also what another process has just written.
 */
async function agree(): Promise<string | null> {
  return maintenance.$transaction(
    async (client) => {
      await client.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${stateKey}, 0))`;
      const [known, stored] = [await readState(client), await readStore()];
      if (known === null) {
        // The first start, or an old store with a new database. The store comes first: after a crash in between, the
        // database takes the id that it finds there.
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

const writeStore = (id: string) => blobs.put(storeIdKey, new Blob([id]).stream(), "text/plain");

async function readState(client: Pick<typeof maintenance, "systemState"> = maintenance): Promise<string | null> {
  const state = await client.systemState.findUnique({ where: { key: stateKey } });
  return typeof state?.value === "string" ? state.value : null;
}

async function readStore(): Promise<string | null> {
  const body = await blobs.get(storeIdKey);
  return body && new Response(body).text();
}
