import type { Appends, BlobDriver, DirectUpload, DirectUploads, Progress } from "./drivers/driver";

/** A blob store, and a name for it that stays the same as long as it is the same store. */
export interface Store {
  name: string;
  driver: BlobDriver;
}

/**
 * Combines two stores into one while files move from one to the other: new blobs go to the first, and both are read. Nothing
 * is deleted from only one of them.
 */
export function twoStores(first: Store, second: Store): BlobDriver {
  const { driver: one } = first;
  const { driver: other } = second;
  const either = async <T>(ask: (driver: BlobDriver) => Promise<T | null>) => (await ask(one)) ?? (await ask(other));
  return {
    ...one,
    isLocal: one.isLocal === true && other.isLocal === true,
    get: (key, range) => either((driver) => driver.get(key, range)),
    head: (key) => either((driver) => driver.head(key)),
    append: appendsOf(first, second),
    async delete(key) {
      await other.delete(key);
      await one.delete(key);
    },
    async *list() {
      yield* one.list();
      yield* other.list();
    },
    async check() {
      await Promise.all([one.check(), other.check()]);
    },
    direct: directOf(first, second),
    signUrl: async (key, headers, expires) => {
      const holder = (await one.head(key)) ? one : other;
      return (await holder.signUrl?.(key, headers, expires)) ?? null;
    },
  };
}

/** Uploads that arrive in several requests continue in the store in which they began, which their progress names. */
export function appendsOf(first: Store, second?: Store): Appends {
  const storeOf = ({ store }: Progress) => (second && store === second.name ? second : first);
  return {
    async open(key, file, progress, newAside) {
      const { name, driver } = storeOf(progress);
      const appender = await driver.append.open(key, file, progress, newAside);
      const named = (reached: Progress): Progress => ({ ...reached, store: name });
      return {
        ...appender,
        sync: async () => named(await appender.sync()),
        end: async () => named(await appender.end()),
      };
    },
    complete: (key, file, progress) => storeOf(progress).driver.append.complete(key, file, progress),
  };
}

/**
 * Uploads that browsers send straight to a store continue in the store in which they began: the name of the upload begins with
 * that of the store. Only the first store begins uploads.
 */
export function directOf(first: Store, second?: Store): DirectUploads | undefined {
  const begin = first.driver.direct?.begin;
  if (!first.driver.direct && !second?.driver.direct) return undefined;
  const prefixOf = ({ name }: Store) => `${name} `;
  const find = (upload: DirectUpload) => {
    const { uploadId } = upload;
    const store = [first, second].find((each) => each && uploadId?.startsWith(prefixOf(each)));
    const own = store && uploadId ? { ...upload, uploadId: uploadId.slice(prefixOf(store).length) } : upload;
    return { direct: (store ?? first).driver.direct, upload: own };
  };
  return {
    ...(begin && {
      async begin(key, file) {
        const uploadId = await begin(key, file);
        return uploadId === undefined ? undefined : `${prefixOf(first)}${uploadId}`;
      },
    }),
    async sign(key, given, numbers, expires) {
      const { direct, upload } = find(given);
      return (await direct?.sign(key, upload, numbers, expires)) ?? [];
    },
    async sent(key, given) {
      const { direct, upload } = find(given);
      return (await direct?.sent?.(key, upload)) ?? [];
    },
    async complete(key, given, answers) {
      const { direct, upload } = find(given);
      const result = (await direct?.complete(key, upload, answers)) ?? { missing: [1] };
      // An upload in one request has no name.
      if (!("missing" in result) || upload.uploadId !== undefined || !second?.driver.direct) return result;
      return second.driver.direct.complete(key, upload, answers);
    },
  };
}
