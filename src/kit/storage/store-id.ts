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
  if (known === null) {
    // The first start, or an old store with a new database. The store comes first: after a crash in between, the database
    // takes what it finds there. Of processes that start together the database decides.
    const id = stored ?? randomUUID();
    if (stored === null) await writeStore(id);
    await maintenance.$executeRaw`
      INSERT INTO "_system_state" ("key", "value") VALUES (${stateKey}, to_jsonb(${id}::text)) ON CONFLICT DO NOTHING`;
    const agreed = (await readState()) ?? id;
    if ((await readStore()) === agreed) return null;
    if (stored !== null) return explain(agreed, stored);
    await blobs.delete(storeIdKey);
    await writeStore(agreed);
    return null;
  }
  if (stored === known) return null;
  if (stored === null && !(await hasFiles())) {
    await writeStore(known);
    return null;
  }
  return explain(known, stored);
}

const explain = (known: string, stored: string | null) =>
  `The database belongs to the blob store ${known}, and this one ${stored === null ? "has no id" : `is ${stored}`}. ` +
  "Clean-up is refused: it would forget or delete files of the other. Is DATABASE_URL that of another deployment, or did the " +
  "store change? When the files were moved here, copy the object " +
  `${storeIdKey} too, or accept this store: DELETE FROM "_system_state" WHERE "key" = '${stateKey}', and start again.`;

/** Another process may be writing it at the same moment. */
async function writeStore(id: string): Promise<void> {
  await blobs.put(storeIdKey, new Blob([id]).stream(), "text/plain").catch(async (error) => {
    if ((await readStore()) === null) throw error;
  });
}

async function readState(): Promise<string | null> {
  const state = await maintenance.systemState.findUnique({ where: { key: stateKey } });
  return typeof state?.value === "string" ? state.value : null;
}

async function readStore(): Promise<string | null> {
  const body = await blobs.get(storeIdKey);
  return body && new Response(body).text();
}

const hasFiles = async () => (await maintenance.storage.findFirst({ select: { id: true } })) !== null;
