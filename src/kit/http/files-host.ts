import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { env } from "../process/env";

// FILES_ORIGIN gives uploaded files a host of their own: it serves files and nothing else, and it never gets a cookie.

const hostnameOf = (origin: string | undefined) => origin && new URL(origin).hostname;

/** The names that a request asks for, without ports. A proxy may have changed one of them, and a client the other. */
const requested = ({ host, "x-forwarded-host": forwarded }: IncomingHttpHeaders): string[] =>
  [host, String(forwarded ?? "").split(",")[0]].map((name = "") =>
    name
      .trim()
      .toLowerCase()
      .replace(/\.?(:\d+)?$/, ""),
  );

/** The URL of a file: an id and a signature. */
const fileUrl = /^\/api\/storage\/[0-9a-f-]{36}\/[\w.-]+(\?|$)/i;

/** Whether a request must get a 404, because it came to the host of the files for something else. */
export function isRefusedOnFilesHost({ url = "", headers }: Pick<IncomingMessage, "url" | "headers">): boolean {
  const filesHost = hostnameOf(env.FILES_ORIGIN);
  return filesHost !== undefined && requested(headers).includes(filesHost) && !fileUrl.test(url);
}

export function refuseOnFilesHost(response: ServerResponse): void {
  const message = "This host serves files and nothing else; use a URL that getUrl returns";
  response.writeHead(404, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify({ code: "FileNotFound", message }));
}

/**
 * Returns the URL to which a request for a file at the app's own host is redirected. Such URLs were made before
 * `FILES_ORIGIN` was set. Returns `null` when it came to the right host, or to a name that a proxy made up.
 */
export function filesUrlOf({ url, headers }: Request): string | null {
  const { FILES_ORIGIN, APP_ORIGIN } = env;
  const appHost = hostnameOf(APP_ORIGIN);
  const names = requested({
    host: headers.get("host") ?? undefined,
    "x-forwarded-host": headers.get("x-forwarded-host") ?? undefined,
  });
  if (!FILES_ORIGIN || !appHost || !names.includes(appHost) || names.includes(new URL(FILES_ORIGIN).hostname))
    return null;
  const { pathname, search } = new URL(url);
  return FILES_ORIGIN + pathname + search;
}
