import type { BetterAuthPlugin } from "better-auth";
import type { AccountEmails } from "./auth/account-email";
import { acceptIssuers, type Issuer } from "./auth/issuers";
import { type Owners, setAccountOptions } from "./auth/owners";
import { action, internalAction, internalMutation, internalQuery, mutation, query } from "./functions/builders";
import { createRouter } from "./functions/router";
import type { Module } from "./functions/server-function";
import { type HttpRouter, httpAction } from "./http/http-router";
import type { CronJobs } from "./jobs/crons";
import { runJobsAfterResponses } from "./jobs/runner";
import { type LiveBy, liveBy, liveByState } from "./live/reads";
import { checkBasePath } from "./process/check-settings";
import { onVercel } from "./process/env";
import { defaultImageWidths } from "./storage/image-widths";
import { type StorageOptions, setStorageOptions } from "./storage/options";
import { setImageWidths } from "./storage/tokens";

export interface KitOptions {
  /**
   * For each table, a column by which most of its queries are limited, for example `{ files: "owner" }`. A query that reads
   * the table by `where: { owner }` then refetches only when rows with that value change, before or after. All other queries
   * refetch at each change of the table, as without this. See docs/live-queries.md for what this reveals.
   */
  liveBy?: LiveBy;
  /**
   * The widths in pixels in which `getUrl(id, { width })` makes images. A signed URL works for all of them, so that one URL gives
   * a whole `srcset`, and other widths are refused. At most 20. Default: 80, 160, 320, 480, 640, 960, 1280, 1920 and 2560.
   */
  imageWidths?: readonly number[];
  auth?: {
    /** Issuers whose Bearer tokens are accepted, in addition to the app itself and `AUTH_ISSUER`. */
    issuers?: readonly Issuer[];
    /**
     * For each model, the column that holds the owner's `tokenIdentifier`, for example `{ note: "createdBy" }`. When a visitor
     * signs up, these rows become the account's. Rows of other models keep the visitor, who then no longer exists.
     */
    owners?: Owners;
    /** Better Auth's plugins, beside those of the kit: see docs/recipes. */
    plugins?: readonly BetterAuthPlugin[];
  };
}

/** The parts of an app, for the routes that serve it: see `~/kit/next`. */
export interface App<Router = ReturnType<typeof createRouter>> {
  router: Router;
  http: HttpRouter;
  crons: CronJobs;
  owners: Owners;
  email?: AccountEmails;
}

/**
 * Wires the kit. Call it once, in src/kit.ts. Returns the builders of functions, and `app`, which makes an app of the functions.
 * The database and the blob store come from the environment: see docs/settings.md.
 *
 *     export const kit = createKit({ auth: { owners: { note: "createdBy" } } });
 */
export function createKit({
  liveBy: columns = {},
  imageWidths = defaultImageWidths,
  auth: { issuers = [], owners = {}, plugins = [] } = {},
}: KitOptions = {}) {
  // Here rather than at the start, so that the build says it, too.
  checkBasePath();
  liveBy.clear();
  for (const [table, column] of Object.entries(columns)) liveBy.set(table, column);
  liveByState.isKnown = true;
  setImageWidths(imageWidths);
  acceptIssuers(issuers);
  setAccountOptions({ owners, plugins });
  return {
    query,
    mutation,
    action,
    internalQuery,
    internalMutation,
    internalAction,
    httpAction,
    /**
     * Makes an app of these files of functions. What `files.ts` exports as `list` is called `files.list` by clients, by the
     * scheduler and in the function log.
     */
    app<Modules extends Record<string, Module>>(parts: {
      functions: Modules;
      /** The HTTP actions, which are served under `/http`. */
      http: HttpRouter;
      /** The recurring functions. */
      crons: CronJobs;
      /** How mail about accounts is sent. Without it, passwords cannot be reset and addresses are not confirmed. */
      email?: AccountEmails;
      /** The functions that follow a new file, and whether it is served at once. */
      storage?: StorageOptions;
    }) {
      const { functions, http, crons, email, storage = {} } = parts;
      const router = createRouter(functions, { http, crons });
      setStorageOptions(storage);
      if (onVercel()) runJobsAfterResponses(crons);
      return { router, http, crons, owners, email } satisfies App<unknown>;
    },
  };
}
