import { acceptIssuers, type Issuer } from "./auth/issuers";
import type { Owners } from "./auth/owners";
import { action, internalAction, internalMutation, internalQuery, mutation, query } from "./functions/builders";
import { createRouter } from "./functions/router";
import type { Module } from "./functions/server-function";
import { type HttpRouter, httpAction } from "./http/http-router";
import type { CronJobs } from "./jobs/crons";

export interface KitOptions {
  auth?: {
    /** Whose Bearer tokens are accepted, beside the app's own and those of `AUTH_ISSUER`. */
    issuers?: readonly Issuer[];
    /**
     * By model, the column that says whose a row is, for example `{ note: "createdBy" }`. When a visitor signs up, such rows
     * become the account's; rows of models that are not here stay the visitor's, who then is no more.
     */
    owners?: Owners;
  };
}

/** What an app is made of, for the routes that serve it: see `~/kit/next`. */
export interface App<Router = ReturnType<typeof createRouter>> {
  router: Router;
  http: HttpRouter;
  crons: CronJobs;
  owners: Owners;
}

/**
 * Wires the kit, once, in src/kit.ts: returns what functions are made with, and `app`, which makes an app of them.
 * The environment says where the database and the bytes are: see docs/settings.md.
 *
 *     export const kit = createKit({ auth: { owners: { note: "createdBy" } } });
 */
export function createKit({ auth: { issuers = [], owners = {} } = {} }: KitOptions = {}) {
  acceptIssuers(issuers);
  return {
    query,
    mutation,
    action,
    internalQuery,
    internalMutation,
    internalAction,
    httpAction,
    /**
     * The app that these files of functions make: what `files.ts` exports as `list` is `files.list`, for clients, for the
     * scheduler and in the log.
     */
    app<Modules extends Record<string, Module>>(parts: {
      functions: Modules;
      /** The HTTP actions, below `/http`. */
      http: HttpRouter;
      /** The recurring functions. */
      crons: CronJobs;
    }) {
      const { functions, http, crons } = parts;
      return { router: createRouter(functions, { http, crons }), http, crons, owners } satisfies App<unknown>;
    },
  };
}
