/**
 * The limits that are the same for all deployments of an app. Change a number here. Limits that differ between deployments
 * are settings, in env.ts. docs/limits.md describes both, and a test compares it with both files.
 */
export const limits = {
  /** Bytes of a request's JSON: calls of functions, and what `readJson` reads in HTTP actions. */
  jsonBytes: 256 * 1024,
  /** How deep lists and objects are nested in a request's JSON. */
  jsonDepth: 256,
  /** Values in one call's arguments. Each number, text, list and object counts. */
  argumentValues: 10_000,
  /** How deep lists and objects are nested in one call's arguments. */
  argumentDepth: 64,
  /** Values in one call's arguments that JSON cannot express, such as dates. */
  argumentAnnotations: 1_000,
  /** Documents that `collect` of `ctx.db.system.query` returns at most. */
  collectedRows: 1_000,
  /** Calls in one request. */
  batchCalls: 10,
  /** Calls of one request that run at the same time. */
  batchConcurrency: 4,
  /** Queries and mutations that one process runs at once for one session, for one network, and that may wait in addition. */
  sessionConcurrency: 4,
  networkConcurrency: 8,
  networkWaiting: 2_000,
  /** How long the body of a request may stall. Uploads have `UPLOAD_STALL_TIMEOUT` instead. */
  bodyStallMs: 30_000,
  /** The slowest rate of a body, from `bodyStallMs` after its beginning on. Uploads may be slower. */
  bodyBytesPerSecond: 1_024,
  /** Bytes of a body that are discarded after a response that did not need them. More close the connection. */
  discardedBytes: 1024 * 1024,
  /** How long a client may leave a response unread. */
  unreadResponseMs: 120_000,
  /** Streams of live queries that one process keeps open. Each takes a connection and about 70 KB of memory. */
  streams: 10_000,
  /** How many of these streams callers without an account may have. */
  streamsWithoutAccount: 8_000,
  /** How many of these streams one identity may have. Each visible tab has one. */
  streamsOfIdentity: 50,
  /** How many of these streams one network may have, when addresses are known. A whole office may share an address. */
  streamsOfNetwork: 500,
  /** URLs that one process fetches for users at once, and how many more may wait. */
  fetches: 4,
  fetchesWaiting: 100,
  /** Files that one process stores from URLs at once with `ctx.storage.storeFrom`, and how many more may wait. */
  downloads: 16,
  downloadsWaiting: 100,
  /** Images that one process decodes at once, and how many more may wait. Each takes one of the four threads that read files. */
  images: 1,
  imagesWaiting: 100,
  /** Bytes and pixels of an image that one process decodes. Each pixel of each frame takes four bytes of memory. */
  imageBytes: 64 * 1024 * 1024,
  imagePixels: 50_000_000,
  /** Images of other sizes and formats that are kept of one file. */
  variantsOfFile: 100,
  /** Passwords that one process hashes at once, and how many more may wait. Each takes 16 MiB and one of those threads. */
  passwords: 1,
  passwordsWaiting: 100,
  /** Bytes of a request to `/api/auth`. */
  authBytes: 64 * 1024,
  /** Mails about accounts to one address in an hour, from all senders together. */
  emailsPerHour: 10,
  /** Bytes of printed text and errors that one process logs in a minute. Further calls are logged without them. */
  logBytesPerMinute: 16 * 1024 * 1024,
  /** The share of the disk that stays free. Uploads that would use it are refused. */
  diskReserve: 0.05,
  /** Bytes that one network may send in a day without an account, when addresses are known. */
  networkBytesPerDay: 20 * 1024 ** 3,
  /** Bytes that all callers without an account may store together, or half of the free disk if that is less. */
  bytesWithoutAccount: 100 * 1024 ** 3,
  /** A larger file is read in slices to compute its SHA-256, each in a request of its own that takes this long. */
  hashedAtOnceBytes: 1024 ** 3,
  hashSliceMs: 20_000,
  /** Bytes of memory for parts of uploads to a cloud store, and of temporary files for parts that do not fit into memory. */
  partBufferBytes: 128 * 1024 * 1024,
  partFileBytes: 4 * 1024 ** 3,
  /** How long one check of the doctor may take. */
  checkMs: 5_000,
  /** Approximate bytes of memory for all files that are being sent. */
  responseBufferBytes: 32 * 1024 * 1024,
};
