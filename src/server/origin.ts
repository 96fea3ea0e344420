import { env } from "./env";

/**
 * Where the app is: `APP_ORIGIN`. Only in development, and only without it, what the request names, so that phones and tunnels work; in
 * production a header is never trusted for it (SPEC §4).
 */
export function publicOrigin(headers: Headers): string {
  if (env.APP_ORIGIN) return env.APP_ORIGIN;
  const host = headers.get("x-forwarded-host") ?? headers.get("host") ?? `localhost:${process.env.PORT ?? 3000}`;
  return `${headers.get("x-forwarded-proto") ?? "http"}://${host}`;
}
