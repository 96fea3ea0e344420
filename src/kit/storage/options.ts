import type { ReadDb } from "../database/db";
import type { Id } from "../database/ids";
import { nameOf, type Schedulable } from "../functions/server-function";
import { processWide } from "../process/process-wide";

/** What an app decides about the files that it stores. */
export interface StorageOptions {
  /**
   * Mutations and actions that are scheduled for each new file, in the statement that makes its row, however the file was
   * uploaded. Mutations run exactly once, and actions at most once. Each takes `{ storageId }`.
   */
  onStored?: readonly Schedulable<{ storageId: Id<"_storage"> }>[];
  /** A new file is not served, and `getUrl` is `null`, until a function calls `ctx.storage.release`. Default: `false`. */
  hold?: boolean;
  /**
   * Returns how many bytes an identity may store, given as `tokenIdentifier`. `null` means `STORAGE_QUOTA`. It is asked before
   * each file that the identity stores or claims, and reads what is committed, outside of the caller's transaction:
   *
   *     quota: async (ctx, identity) => ((await ctx.db.plan.findUnique({ where: { owner: identity } }))?.isPaid ? 1e12 : null)
   */
  quota?: Quota;
}

type Quota = (ctx: { db: ReadDb }, identity: string) => Promise<number | null>;

interface Settings {
  /** Names of functions. */
  onStored: string[];
  hold: boolean;
  quota?: Quota;
}

/** The storage routes do not load the app's functions, so `kit.app` stores the options here for them. */
const known = processWide("storage options", () => ({
  settings: undefined as Settings | undefined,
  /** Loads the app, if the start of the process did not. */
  load: async (): Promise<unknown> => undefined,
}));

/** Called after the functions are registered. Throws when `onStored` has a function that is not registered. */
export function setStorageOptions({ onStored = [], hold = false, quota }: StorageOptions): void {
  const names = onStored.map((fn) => {
    const name = nameOf(fn);
    if (name) return name;
    throw new Error(
      "storage.onStored has a function whose file is not listed in src/functions/index.ts. Add the file there.",
    );
  });
  known.settings = { onStored: names, hold, quota };
}

/**
 * Sets how to load the app's functions before the first file is stored, for processes that do not load them at the start.
 */
export function loadAppBeforeFiles(load: () => Promise<unknown>): void {
  known.load = load;
}

/** Returns the app's storage options. */
export async function storageOptions(): Promise<Settings> {
  if (!known.settings) await known.load();
  return known.settings ?? { onStored: [], hold: false };
}
