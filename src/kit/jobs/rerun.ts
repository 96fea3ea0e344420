import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { prisma } from "../database/database";

/** Schedules what a job that ended did once more, now. Returns the new job's id. Throws `NOT_FOUND` when none ended. */
export async function rerunJob(jobId: string): Promise<string> {
  const id = v7();
  const scheduled = await prisma.$executeRaw`
    INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime")
    SELECT ${id}::uuid, "name", "args", now() FROM "_scheduled_functions"
    WHERE "_id" = ${jobId}::uuid AND "state" IN ('success', 'failed', 'canceled')`;
  if (scheduled === 0) throw new TRPCError({ code: "NOT_FOUND", message: `There is no job ${jobId} that ended` });
  return id;
}
