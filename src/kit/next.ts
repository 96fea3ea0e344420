// The route files in src/app import this. Each binds one handler to its URL.

import type { AnyTRPCRouter } from "@trpc/server";
import { serveAuth } from "./auth/serve-auth";
import type { App } from "./create-kit";
import { servePlainJson } from "./functions/plain-json";
import { serveRouter } from "./functions/router";
import { serveOpenApi } from "./http/openapi";
import { serveHttp } from "./http/serve-http";
import { serveCron } from "./jobs/runner";

export { serveHealth as healthRoute } from "./process/health";

/** `src/app/api/trpc/[trpc]/route.ts`: the functions. */
export const trpcRoute = ({ router }: { router: AnyTRPCRouter }) => serveRouter(router);

/** `src/app/api/run/[...name]/route.ts`: the functions, for clients that do not speak tRPC. */
export const plainJsonRoute = ({ router }: { router: AnyTRPCRouter }) => servePlainJson(router);

/** `src/app/api/openapi.json/route.ts`: the description of all that clients can call. */
export const openApiRoute = ({ http }: Pick<App, "http">) => serveOpenApi(http);

/** `src/app/http/[[...path]]/route.ts`: the HTTP actions. */
export const httpRoute = ({ http }: Pick<App, "http">) => serveHttp(http);

/** `src/app/api/auth/[...all]/route.ts`: sessions, accounts and tokens. */
export const authRoute = (app: Pick<App, "owners" | "email">) => serveAuth(app);

/** `src/app/api/cron/route.ts`: runs the jobs that are due, on hosts that stop processes between requests. */
export const cronRoute = ({ crons, owners }: Pick<App, "crons" | "owners">) => serveCron(crons, owners);
