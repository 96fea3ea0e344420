import { randomUUID } from "node:crypto";
import { env } from "./env";

/** Who calls a function, and through what: made once per request. */
export interface Caller {
  /** Names the request in logs and error answers. */
  requestId: string;
  /** What storage URLs start with, as `https://files.example.com`. */
  origin: string;
}

export function createCaller(headers: Headers): Caller {
  return { requestId: randomUUID(), origin: publicOrigin(headers) };
}

/**
 * `APP_ORIGIN`. Only in development, and only without it, what the request names, so that phones and tunnels work; in
 * production a header is never trusted for it (SPEC §4).
 */
function publicOrigin(headers: Headers): string {
  if (env.APP_ORIGIN) return env.APP_ORIGIN;
  const host = headers.get("x-forwarded-host") ?? headers.get("host") ?? `localhost:${process.env.PORT ?? 3000}`;
  return `${headers.get("x-forwarded-proto") ?? "http"}://${host}`;
}
