import { quote } from "../log/text";
import { processWide } from "../process/process-wide";
import type { PartRequest } from "./drivers/driver";

/** When each reason was logged, in milliseconds since the epoch. */
const logged = processWide("reasons why browsers cannot send to the store", () => new Map<string, number>());
const logEveryMs = 3_600_000;

/**
 * Finds out why a browser cannot send this request to the store, by asking the store as browsers do before they send. Logs it,
 * at most once an hour.
 * @param origin of the page, as the browser says
 */
export async function explainUnreachable(part: PartRequest, origin: string | null): Promise<string> {
  const { origin: store } = new URL(part.url);
  const page = origin ?? "null";
  const refused = await refusedBy(part, page);
  const isAllowed = refused === null || refused.length === 0;
  const reason = isAllowed
    ? `A browser cannot reach the store at ${store}, although this server can. If that happens to everyone, the address of ` +
      "the store (S3_ENDPOINT) is one that only the server reaches, it has no HTTPS, or browsers do not trust its certificate."
    : `The store at ${store} does not let pages of ${quote(page)} send files. Add that origin to its CORS rules: docs/deploying.md ` +
      "has them.";
  if ((logged.get(reason) ?? 0) + logEveryMs < Date.now()) {
    if (logged.size > 100) logged.clear();
    logged.set(reason, Date.now());
    console.warn(`${reason} The file goes through the app instead.`);
  }
  return reason;
}

/**
 * What the store's answer to a preflight refuses: pages of this origin, the method or headers. Empty when it allows the request,
 * and `null` when it cannot be asked.
 */
export async function refusedBy({ method, url, headers }: PartRequest, origin: string): Promise<string[] | null> {
  const names = Object.keys(headers)
    .map((name) => name.toLowerCase())
    .sort();
  const asked = {
    Origin: origin,
    "Access-Control-Request-Method": method,
    ...(names.length > 0 && { "Access-Control-Request-Headers": names.join(",") }),
  };
  const answer = await fetch(url, { method: "OPTIONS", headers: asked, signal: AbortSignal.timeout(5_000) }).catch(
    () => null,
  );
  if (!answer) return null;
  if (!answer.ok) return [`pages of ${origin}`];
  const allows = (name: string, wanted: string) =>
    (answer.headers.get(`Access-Control-Allow-${name}`) ?? "")
      .split(",")
      .some((each) => each.trim() === "*" || each.trim().toLowerCase() === wanted.toLowerCase());
  return [
    ...(allows("Origin", origin) ? [] : [`pages of ${origin}`]),
    ...(allows("Methods", method) ? [] : [`the method ${method}`]),
    ...names.filter((name) => !allows("Headers", name)).map((name) => `the header ${name}`),
  ];
}
