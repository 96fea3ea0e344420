import { z } from "zod";
import { examine } from "../doctor/doctor";
import { t } from "../functions/builders";
import type { HttpRouter } from "../http/http-router";
import { describeApi } from "../http/openapi";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { readDriverEnv } from "../storage/blobs";
import { liveProcedure } from "./admin-procedure";

/** A setting, as it is in force. */
interface Setting {
  name: string;
  /** For a secret, only a description of it. `null` when the setting has no value and no default. */
  value: string | null;
  isSecret: boolean;
  /** Whether the environment sets it. Otherwise it is the default. */
  isSet: boolean;
}

/** Settings that are texts and no secrets. Any other text is treated as a secret, so that a new one is not shown by mistake. */
const open = new Set(
  `APP_ORIGIN AUTH_OWN_ISSUER AUTH_ISSUER AUTH_AUDIENCE AUTH_JWKS_URL AUTH_WITHOUT_AUDIENCE EMAIL_FROM GITHUB_CLIENT_ID
  GOOGLE_CLIENT_ID CLIENT_ORIGIN LIVE_TRANSPORT STORAGE_DISK_PATH STORAGE_CACHE STORAGE_DRIVER S3_BUCKET S3_REGION S3_ENDPOINT
  BLOB_STORE_ID`.split(/\s+/),
);

export const settings = (http: HttpRouter) =>
  t.router({
    /** The settings and limits in force, and the addresses that other services need. Never contains a secret. */
    list: liveProcedure().query(({ ctx: { origin } }) => ({
      settings: Object.entries({ ...env, ...readDriverEnv(process.env) })
        .filter(([name]) => name !== "VERCEL")
        .map(describe)
        .sort((one, other) => one.name.localeCompare(other.name)),
      limits: Object.entries(limits).map(([name, value]) => ({ name, value })),
      urls: urlsOf(origin),
    })),

    /** The OpenAPI description of the app. */
    api: liveProcedure().query(({ ctx: { origin } }) => describeApi(http, origin)),
  });

function describe([name, value]: [string, unknown]): Setting {
  const isSet = Boolean(process.env[name]);
  const isSecret = !open.has(name) && [value].flat().some((part) => typeof part === "string");
  const shown = isSecret ? aboutSecret(value) : [value].flat().join(", ");
  return { name, value: value === undefined ? null : shown, isSecret, isSet };
}

/** Describes a secret: a URL by its host and what follows it, anything else by its length. */
function aboutSecret(value: unknown): string {
  if (typeof value === "string" && URL.canParse(value)) {
    const { host, pathname } = new URL(value);
    return host + pathname;
  }
  const lengths = [value].flat().map((secret) => String(secret).length);
  const shortest = `${Math.min(...lengths)} characters`;
  return lengths.length === 1 ? shortest : `${lengths.length} secrets, the shortest with ${shortest}`;
}

function urlsOf(origin: string): { name: string; url: string }[] {
  const at = (name: string, path: string) => ({ name, url: origin + path });
  return [
    at("The app", "/"),
    at("HTTP actions, for webhooks", "/http/"),
    at("Health, for load balancers and monitoring", "/api/health"),
    at("Whether the process lives", "/api/health/live"),
    at("Jobs that are due, with CRON_SECRET", "/api/cron"),
    at("OpenAPI", "/api/openapi.json"),
    ...(env.GITHUB_CLIENT_ID ? [at("Callback of sign-in with GitHub", "/api/auth/callback/github")] : []),
    ...(env.GOOGLE_CLIENT_ID ? [at("Callback of sign-in with Google", "/api/auth/callback/google")] : []),
  ];
}

export const health = t.router({
  /** Examines what the app depends on. Not live, because this takes some seconds. */
  examine: liveProcedure()
    .input(z.object({ throughProxy: z.boolean().default(true) }))
    .query(({ ctx, input }) => examine({ origin: ctx.origin, headers: ctx.headers, ...input })),
});
