// scripts/kit.mjs imports this.

import type { App } from "./create-kit";
import { listFunctions, runFunction } from "./dashboard/functions";
import { prisma } from "./database/database";
import { createSystemContext } from "./functions/request-context";
import { flush, observeConsole } from "./log/function-log";
import { type CallFilter, listCalls } from "./log/read-function-log";

/** Runs the commands of scripts/kit.mjs on an app with its own database. scripts/operator.mjs does the same over HTTP. */
export function operatorOf({ http }: Pick<App, "http">) {
  // Standard output is for results, so what functions print goes to standard error and to the function log.
  console.log = console.info = console.debug = console.error;
  observeConsole();
  return {
    functions: async () => listFunctions(http),
    users: (email: string) => prisma.user.findMany({ where: { email }, select: { id: true, email: true } }),
    calls: (filter: CallFilter & { limit: number }) => listCalls(filter),
    async run(call: { name: string; args: Record<string, unknown>; userId: string | null }) {
      const ran = await runFunction(createSystemContext(), call);
      await flush();
      return ran;
    },
  };
}
