import type { AnyTRPCProcedure } from "@trpc/server";
import { createDashboard, type Shown } from "../dashboard/router";
import { httpRouter } from "../http/http-router";
import { cronJobs } from "../jobs/crons";
import { changes } from "../live/changes";
import { type Module, register } from "./registry";
import { t } from "./trpc";

type Procedures<M extends Module> = { [Name in keyof M as M[Name] extends AnyTRPCProcedure ? Name : never]: M[Name] };

/**
 * The tRPC router of the functions in these files: `{ messages, files }` is served as `messages.list` and so on. The
 * kit's own procedures are with them, as `_kit` and `dashboard`.
 *
 * @param app what else the dashboard shows
 */
export function createRouter<Modules extends Record<string, Module>>(
  modules: Modules,
  app: Shown = { http: httpRouter(), crons: cronJobs() },
) {
  const routers = Object.entries(modules).map(([file, module]) => {
    register(file, module);
    const procedures = Object.entries(module).filter(([, exported]) => isProcedure(exported));
    return [file, Object.fromEntries(procedures)] as const;
  });
  const functions = Object.fromEntries(routers) as { [File in keyof Modules]: Procedures<Modules[File]> };
  return t.router({ ...functions, _kit: { changes }, dashboard: createDashboard(app) });
}

const isProcedure = (exported: unknown): boolean => typeof exported === "function" && "_def" in exported;

/** What every app's router has. */
export type KitRouter = ReturnType<typeof createRouter<Record<never, never>>>;
