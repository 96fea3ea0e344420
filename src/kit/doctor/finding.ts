import { redact } from "../log/text";
import { limits } from "../process/limits";

/** The result of one check of what the app depends on. */
export interface Finding {
  /** The thing that was checked, for example `Store: CORS`. */
  check: string;
  /** `unknown` where it could not be looked at. */
  state: "ok" | "warning" | "problem" | "unknown";
  /** The result in words. */
  message: string;
  /** What to do, with the lines to paste. */
  fix?: string;
}

type Seen = Omit<Finding, "check">;

export const ok = (message: string): Seen => ({ state: "ok", message });
export const unknown = (message: string): Seen => ({ state: "unknown", message });
export const warning = (message: string, fix: string): Seen => ({ state: "warning", message, fix });
export const problem = (message: string, fix?: string): Seen => ({ state: "problem", message, ...(fix && { fix }) });

/**
 * Runs one check. A failure is a problem, and so is no answer within `limits.checkMs`. Secrets are removed from the
 * messages.
 *
 * @param silent what to do when there is no answer in time
 * @param explain what a failure means
 */
export async function look(
  check: string,
  work: () => Promise<Seen> | Seen,
  {
    silent,
    explain = (error) => problem(reasonOf(error)),
  }: { silent?: string; explain?: (error: unknown) => Seen } = {},
): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Seen>((resolve) => {
    timer = setTimeout(
      () => resolve(problem(`There is no answer in ${limits.checkMs / 1000} s.`, silent)),
      limits.checkMs,
    );
  });
  const seen = await Promise.race([Promise.resolve().then(work).catch(explain), late]).finally(() =>
    clearTimeout(timer),
  );
  const { message, fix, state } = seen;
  return { check, state, message: withoutSecrets(message), ...(fix && { fix: withoutSecrets(fix) }) };
}

/** The message of an error, and of what caused it. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const causes: unknown[] = error instanceof AggregateError ? error.errors : [error.cause];
  const [inner] = causes.filter((cause) => cause instanceof Error);
  const said = error.message || error.name;
  return inner ? `${said}: ${reasonOf(inner)}` : said;
}

const secretNames = /SECRET|TOKEN|PASSWORD|ACCESS_KEY|PRIVATE/;

/** Removes what looks like a secret, and every secret that is a setting. */
function withoutSecrets(text: string): string {
  const values = Object.entries(process.env)
    .filter(([name]) => secretNames.test(name))
    .flatMap(([, value = ""]) => value.split(",").map((secret) => secret.trim()))
    .filter((secret) => secret.length >= 8);
  return values.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), redact(text));
}
