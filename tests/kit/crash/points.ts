import type { CrashPoint } from "./fleet";

/**
 * The changes that an upload, the row that references it, its deletion and garbage collection make, in that order. See
 * steps.ts.
 */
export const storageSteps = [
  "sql INSERT _unowned_blobs",
  "disk create",
  "disk write",
  "disk sync file",
  "disk rename",
  "disk sync folder",
  "sql DELETE _unowned_blobs, INSERT _spent_uploads, INSERT _storage",
  "sql UPDATE _storage",
  "sql INSERT files",
  "sql DELETE files",
  "sql DELETE _storage, INSERT _unowned_blobs",
  "sql COMMIT",
  "sql UPDATE _unowned_blobs",
  "disk rm partial",
  "disk rm blob",
  "sql DELETE _unowned_blobs",
];

/** The changes that making an image of another size and deleting its file make. */
export const variantSteps = [
  "sql INSERT _storage_variants, INSERT _unowned_blobs",
  "disk create",
  "disk write",
  "disk rename",
  "disk sync folder",
  "sql UPDATE _storage_variants, DELETE _unowned_blobs",
  "sql DELETE _storage_variants",
  "sql DELETE _storage, INSERT _unowned_blobs",
  "sql COMMIT",
  "disk rm blob",
];

/** The changes that scheduling, running and settling jobs makes. */
export const jobSteps = [
  "sql INSERT _job_keys, INSERT _scheduled_functions",
  "sql INSERT _ended_jobs",
  "sql COMMIT",
  "sql DELETE _job_keys, UPDATE _scheduled_functions 'inProgress'",
  "sql INSERT messages",
  "sql UPDATE _scheduled_functions 'success'",
  "sql INSERT _ended_jobs, DELETE _job_keys, INSERT _scheduled_functions, UPDATE _scheduled_functions",
];

/** The further changes that jobs with retries make. */
export const retrySteps = [
  ...jobSteps.filter((step) => !step.includes("messages")),
  "sql INSERT _job_keys, UPDATE _scheduled_functions 'pending'",
  "sql INSERT _scheduled_functions",
  "sql DELETE _job_keys",
];

/** The changes that the steps of an order make. */
export const orderSteps = [
  "sql INSERT orders",
  "sql INSERT _job_keys, INSERT _scheduled_functions",
  "sql DELETE _job_keys, UPDATE _scheduled_functions 'inProgress'",
  "sql INSERT _ended_jobs, DELETE _job_keys, INSERT _scheduled_functions, UPDATE _scheduled_functions",
  "sql INSERT _ended_jobs",
  "sql UPDATE orders",
  "sql COMMIT",
];

/** Returns this many points before and after the steps. It starts again when it has used all of them. */
export function pointsAround(steps: readonly string[], count: number): CrashPoint[] {
  const round = steps.flatMap((step): CrashPoint[] => [`before ${step}`, `after ${step}`]);
  const rounds = Array.from({ length: Math.ceil(count / round.length) }, () => round);
  return rounds.flat().slice(0, count);
}
