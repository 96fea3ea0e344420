/**
 * Every limit that is the same for all deployments of an app: change a number here. Those that differ between deployments
 * are settings, in env.ts. docs/limits.md describes all of them, and a test compares it with both files.
 */
export const limits = {
  /** Bytes of a request's JSON: calls of functions, and what `readJson` reads in HTTP actions. */
  jsonBytes: 256 * 1024,
  /** Values in one call's arguments, each number, text, list and object counted. */
  argumentValues: 10_000,
  /** Lists and objects in one another in one call's arguments. */
  argumentDepth: 64,
  /** Values in one call's arguments that JSON has no word for, such as dates. */
  argumentAnnotations: 1_000,
  /** Calls in one request. */
  batchCalls: 10,
  /** Calls of one request that run at the same time. */
  batchConcurrency: 4,
  /** Queries and mutations of one session that run at once in one process, of one network, and that may wait there. */
  sessionConcurrency: 4,
  networkConcurrency: 8,
  networkWaiting: 2_000,
  /** Milliseconds that a request's body may stop for; uploads have `UPLOAD_STALL_TIMEOUT`. */
  bodyStallMs: 30_000,
  /** Bytes a second that a body has to come at, counted from `bodyStallMs` after its beginning; uploads may be slower. */
  bodyBytesPerSecond: 1_024,
  /** Bytes of a body that was answered unread: more of it ends the connection. */
  discardedBytes: 1024 * 1024,
  /** Milliseconds that a client may leave an answer unread. */
  unreadResponseMs: 120_000,
  /** Streams of changes that one process keeps open: each is a connection, and some 70 KB of memory. */
  streams: 10_000,
  /** How many of them visitors may have who have no account. */
  streamsWithoutAccount: 8_000,
  /** How many of them one identity may have: each visible tab has one. */
  streamsOfIdentity: 50,
  /** How many of them one network may have, where addresses are known: an office may be behind one address. */
  streamsOfNetwork: 500,
  /** URLs that one process fetches for users at once, and how many more may wait. */
  fetches: 4,
  fetchesWaiting: 100,
  /** Images that one process decodes at once, with one of the four threads that read files too, and how many more may wait. */
  images: 1,
  imagesWaiting: 100,
  /** Passwords that one process hashes at once, which takes 16 MiB and one of the four threads that read files too, and how many more may wait. */
  passwords: 1,
  passwordsWaiting: 100,
  /** Bytes of a request that signs in or up, or asks for a token. */
  authBytes: 64 * 1024,
  /** Bytes of what calls print and throw that one process keeps in a minute; of further calls the log has no texts. */
  logBytesPerMinute: 16 * 1024 * 1024,
  /** Of the disk, the share that stays free: uploads that would take it are refused. */
  diskReserve: 0.05,
  /** Bytes that one network may send in a day without an account, where addresses are known. */
  networkBytesPerDay: 20 * 1024 ** 3,
  /** Bytes that all who have no account may store together; half of the free disk where that is less. */
  bytesWithoutAccount: 100 * 1024 ** 3,
  /** Bytes of memory for parts of uploads on their way to a cloud store, and of temporary files for those that have none. */
  partBufferBytes: 128 * 1024 * 1024,
  partFileBytes: 4 * 1024 ** 3,
  /** Bytes of memory for files that are being sent, all together, about. */
  responseBufferBytes: 32 * 1024 * 1024,
};
