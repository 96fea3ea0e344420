import { prisma } from "../database";
import { env } from "../env";

/**
 * Bytes that `owner` may still store. Whoever has no identity has no quota: for them there is the limit on upload URLs.
 * Uploads that run side by side do not see each other, so that they may exceed it together.
 */
export async function remainingQuota(owner: string | undefined): Promise<number> {
  if (owner === undefined) return Number.POSITIVE_INFINITY;
  const { _sum } = await prisma.storage.aggregate({ _sum: { size: true }, where: { owner } });
  return Math.max(0, env.STORAGE_QUOTA - Number(_sum.size ?? 0));
}
