import { TRPCError } from "@trpc/server";
import { lookups } from "../database";
import { env } from "../env";

/**
 * Bytes that `owner` may still store. Whoever has no identity has no quota: for them there is the limit on upload URLs.
 * Uploads that run side by side do not see each other, so that they may exceed it together.
 */
export async function remainingQuota(owner: string | undefined): Promise<number> {
  if (owner === undefined) return Number.POSITIVE_INFINITY;
  const { _sum } = await lookups.storage.aggregate({ _sum: { size: true }, where: { owner } });
  return Math.max(0, env.STORAGE_QUOTA - Number(_sum.size ?? 0));
}

/** Refuses that `owner` takes files of so many bytes that nobody owned before. Claims side by side do not see each other. */
export async function refuseOverQuota(owner: string, bytes: number): Promise<void> {
  if (bytes <= (await remainingQuota(owner))) return;
  const message = `Taking this upload would exceed your ${env.STORAGE_QUOTA} bytes; delete files first`;
  throw new TRPCError({ code: "PAYLOAD_TOO_LARGE", message });
}
