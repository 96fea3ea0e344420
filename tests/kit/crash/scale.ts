const isSoak = process.env.SOAK === "1";

/** A sample in `npm test`, all of it in `npm run test:soak`, where a variable may change it. */
const amount = (variable: string, sample: number, whole: number) =>
  isSoak ? Number(process.env[variable] ?? whole) : sample;

/** The amount of work in these tests. */
export const scale = {
  /** The same seed makes the same choices, though not at the same moments. */
  seed: amount("SOAK_SEED", 1, Date.now() % 1_000_000),
  /** Servers killed, and files answered meanwhile. */
  kills: amount("SOAK_KILLS", 14, 500),
  files: amount("SOAK_FILES", 0, 50_000),
  /** Bytes; the largest of those files. */
  fileSize: amount("SOAK_FILE_SIZE", 2 * 1024 * 1024, 256 * 1024),
  /** Files answered while several processes collect garbage on a disk that fails. */
  sweptFiles: amount("SOAK_SWEPT_FILES", 80, 3000),
  /** Bytes of the file that goes in and out of functions. */
  largeFileSize: amount("SOAK_LARGE_FILE_SIZE", 2 ** 30, 3 * 2 ** 30),
  /** Servers killed while they take files that functions wait for. */
  newFileKills: amount("SOAK_NEW_FILE_KILLS", 6, 200),
  /** Mutations scheduled, and servers killed meanwhile. */
  jobs: amount("SOAK_JOBS", 60, 1000),
  jobKills: amount("SOAK_JOB_KILLS", 9, 100),
  /** Jobs with retries, and servers killed meanwhile. */
  retriedJobs: amount("SOAK_RETRIED_JOBS", 40, 10_000),
  retryKills: amount("SOAK_RETRY_KILLS", 5, 100),
  /** How many of those servers die at a chosen step, and the most requests that each of the others lives for. */
  retryPoints: amount("SOAK_RETRY_POINTS", 5, 40),
  retryLifetime: amount("SOAK_RETRY_LIFETIME", Number.POSITIVE_INFINITY, 20),
  /** Orders that go through the recipe's steps, and servers killed meanwhile. */
  orders: amount("SOAK_ORDERS", 8, 1_000),
  orderKills: amount("SOAK_ORDER_KILLS", 5, 60),
  /** Writers and live readers, and servers killed meanwhile; and the milliseconds until all show the last state. */
  writers: amount("SOAK_WRITERS", 2, 8),
  readers: amount("SOAK_READERS", 6, 60),
  liveKills: amount("SOAK_LIVE_KILLS", 3, 60),
  liveWithinMs: amount("SOAK_LIVE_WITHIN_MS", 10_000, 2_000),
  /** Jobs of which a fifth misbehave, the seconds over which they are due, and servers killed meanwhile. */
  mixedJobs: amount("SOAK_MIXED_JOBS", 100, 10_000),
  mixedSeconds: amount("SOAK_MIXED_SECONDS", 6, 600),
  mixedKills: amount("SOAK_MIXED_KILLS", 2, 60),
  /** Whether to wait for actions whose server was killed, which takes a minute. */
  waitsForLeases: isSoak,
  /** Servers killed while they make images and delete their files, and images answered meanwhile. */
  variantKills: amount("SOAK_VARIANT_KILLS", 2, 60),
  variants: amount("SOAK_VARIANTS", 8, 1_000),
  /** Kills of PostgreSQL, and files answered meanwhile. */
  databaseKills: amount("SOAK_DATABASE_KILLS", 2, 20),
  databaseFiles: amount("SOAK_DATABASE_FILES", 60, 2000),
  /** Kills of each move of all files from one store to the other. */
  moveKills: amount("SOAK_MOVE_KILLS", 1, 5),
  /** Kills of the built app. */
  appKills: amount("SOAK_APP_KILLS", 0, 20),
  /** Seconds that each kind of hostile client goes on. */
  hostileSeconds: amount("SOAK_HOSTILE_SECONDS", 0, 10),
  /** Milliseconds that a test may take on a busy machine; free, it takes a fraction. */
  limit: amount("SOAK_LIMIT", 300_000, 60 * 60 * 1000),
};

const started = performance.now();

/** Prints where the work is, in the soak. */
export function report(text: string): void {
  const seconds = Math.round((performance.now() - started) / 1000);
  if (isSoak) console.log(`${String(seconds).padStart(5)} s  ${text}`);
}

/** Reports every ten seconds until the work is done, and then. */
export async function reporting<T>(status: () => string, work: Promise<T>): Promise<T> {
  const timer = setInterval(() => report(status()), 10_000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    report(status());
  }
}
