import { z } from "zod";
import { maintenance, prisma } from "../database/database";
import { countUnreferenced, listUnreferenced } from "./collect";

/** What a sweep would remove. */
type SweepPreview = z.infer<typeof schema>;

const schema = z.object({
  files: z.number(),
  /** Of these files. */
  bytes: z.number(),
  /** The first of these files, oldest first. */
  ids: z.string().array(),
  /** Deleted files and dead uploads whose bytes are due to go. */
  blobs: z.number(),
  /** When this was found out, in milliseconds since the epoch. */
  at: z.number(),
});

const key = "sweepPreview";
const listed = 100;

/** Finds out what a sweep would remove now, and keeps it for `readSweepPreview`. Takes seconds for a million files. */
export async function previewSweep(): Promise<void> {
  const value = {
    ...(await countUnreferenced()),
    ids: await listUnreferenced(listed),
    blobs: await maintenance.unownedBlob.count({ where: { deleteAfter: { lte: new Date() } } }),
    at: Date.now(),
  } satisfies SweepPreview;
  await prisma.systemState.upsert({ where: { key }, create: { key, value }, update: { value } });
}

/** What was found out last; `null` before the first time. */
export async function readSweepPreview(): Promise<SweepPreview | null> {
  const state = await prisma.systemState.findUnique({ where: { key } });
  return state && schema.parse(state.value);
}
