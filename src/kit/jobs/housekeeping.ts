import { z } from "zod";
import { deleteUnconfirmed } from "../auth/delete-account";
import { maintenance, prisma } from "../database/database";
import { internalAction } from "../functions/builders";
import { register } from "../functions/server-function";
import { pruneChanges } from "../live/listener";
import { pruneCalls } from "../log/function-log";
import { describeImages } from "../storage/describe-images";
import {
  collectFiles,
  deleteUnownedBlobs,
  forgetUnfinishedUploads,
  forgetUsedUploadUrls,
  previewGarbage,
} from "../storage/garbage-collection";
import { compactTotals } from "../storage/quota";
import { forgetOld } from "./rows";

/** Days after which a visitor who never came back, and owns nothing, is forgotten. */
const visitorDays = 30;
/** Rows that one statement deletes. */
const batch = 5_000;

/** The steps of each hour. Each limits its own work, fails alone, and may run in several processes at once. */
const steps: Record<string, () => Promise<unknown>> = {
  /** Deletes unreferenced files. */
  collect: collectFiles,
  /** Deletes bytes that no row owns. */
  sweep: deleteUnownedBlobs,
  uploads: forgetUsedUploadUrls,
  unfinishedUploads: forgetUnfinishedUploads,
  /** Describes images that were not examined when they were stored. */
  images: describeImages,
  totals: compactTotals,
  jobs: forgetOld,
  calls: pruneCalls,
  changes: pruneChanges,
  rateLimits: () =>
    prune(`DELETE FROM "_rate_limits" WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM "_rate_limits" WHERE "expire" < extract(epoch FROM now()) * 1000 LIMIT ${batch}))`),
  sessions: () =>
    prune(`DELETE FROM "_sessions" WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM "_sessions" WHERE "expiresAt" < now() LIMIT ${batch}))`),
  verifications: () =>
    prune(`DELETE FROM "_verifications" WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM "_verifications" WHERE "expiresAt" < now() LIMIT ${batch}))`),
  adoptions: () =>
    prune(`DELETE FROM "_adoptions" WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM "_adoptions" WHERE "at" < now() - interval '7 days' LIMIT ${batch}))`),
  // A visitor comes back by a session only, so without one the row is of no use. Rows that the visitor owned stay.
  visitors: () =>
    prune(`DELETE FROM "_users" WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM "_users" AS visitor WHERE "isAnonymous" AND "updatedAt" < now() - interval '${visitorDays} days'
      AND NOT EXISTS (SELECT FROM "_sessions" WHERE "userId" = visitor."_id") LIMIT ${batch}))`),
  unconfirmed: deleteUnconfirmed,
};

async function prune(statement: string): Promise<number> {
  for (let total = 0; ; ) {
    const deleted = await maintenance.$executeRawUnsafe(statement);
    total += deleted;
    if (deleted < batch) return total;
  }
}

const schema = z.record(
  z.string(),
  z.object({
    /** Milliseconds since the epoch: when the step last succeeded, and since when it has been failing. */
    succeeded: z.number().optional(),
    failedSince: z.number().optional(),
    /** Why it failed last. */
    error: z.string().optional(),
  }),
);

/** How each step went. */
type UpkeepState = z.infer<typeof schema>;

const key = "upkeep";

/** Deletes unreferenced files, bytes without a row, and rows that are no longer needed. */
export const upkeep = internalAction({
  handler: async () => {
    const before = await readUpkeep();
    const state: UpkeepState = {};
    const results: Record<string, unknown> = {};
    for (const [name, step] of Object.entries(steps)) {
      try {
        results[name] = await step();
        state[name] = { succeeded: Date.now() };
      } catch (error) {
        console.error(`Upkeep: ${name} failed, will try again in an hour:`, error);
        const { succeeded, failedSince = Date.now() } = before[name] ?? {};
        state[name] = { ...(succeeded && { succeeded }), failedSince, error: String(error).slice(0, 1000) };
      }
    }
    await maintenance.systemState.upsert({ where: { key }, create: { key, value: state }, update: { value: state } });
    return results;
  },
});

/** How each step of the last housekeeping went. Empty before the first one. */
export async function readUpkeep(): Promise<UpkeepState> {
  const state = await prisma.systemState.findUnique({ where: { key } });
  return state ? schema.catch({}).parse(state.value) : {};
}

/** Finds out what the next garbage collection would delete. A job does this, because it looks at every file. */
export const preview = internalAction({ handler: previewGarbage });

register("_kit", { upkeep, preview });
