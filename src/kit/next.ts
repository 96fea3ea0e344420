// The route files in src/app and src/pages import this. Each binds one handler to its URL.

import type { AnyTRPCRouter } from "@trpc/server";
import type { App } from "./create-kit";
import { servePlainJson } from "./functions/plain-json";
import { serveCalls } from "./functions/router";
import { toNodeHandler } from "./http/node-adapter";
import { serveHttp } from "./http/serve-http";
import { serveCron } from "./jobs/runner";

export { serveHealth as healthRoute, serveLive as liveRoute } from "./process/health";

/**
 * `src/pages/api/trpc/[trpc].ts`: the functions. A handler of `pages/api` takes less than half of the processor's time that an
 * App Router handler takes.
 */
export const trpcRoute = ({ router }: { router: AnyTRPCRouter }) => toNodeHandler(serveCalls(router));

/** `src/app/api/run/[...name]/route.ts`: the functions, for clients that do not speak tRPC. */
export const plainJsonRoute = ({ router }: { router: AnyTRPCRouter }) => servePlainJson(router);

/** `src/app/api/openapi.json/route.ts`: the description of all that clients can call. */
export const openApiRoute = ({ http }: Pick<App, "http">) =>
  whenAsked(async () => (await import("./http/openapi")).serveOpenApi(http));

/** `src/app/http/[[...path]]/route.ts`: the HTTP actions. */
export const httpRoute = ({ http }: Pick<App, "http">) => serveHttp(http);

/** `src/app/api/auth/[...all]/route.ts`: sessions, accounts and tokens. */
export const authRoute = (app: Pick<App, "owners" | "email">) =>
  whenAsked(async () => (await import("./auth/serve-auth")).serveAuth(app));

type Handle = (request: Request) => Promise<Response>;

/** Loads a handler at its first request. The other routes share this file, and would load it too. */
function whenAsked(load: () => Promise<Handle>): Handle {
  let handle: Promise<Handle> | undefined;
  return async (request) => {
    handle ??= load();
    return (await handle)(request);
  };
}

/** `src/app/api/cron/route.ts`: runs the jobs that are due, on hosts that stop processes between requests. */
export const cronRoute = ({ crons, owners }: Pick<App, "crons" | "owners">) => serveCron(crons, owners);
