import { checkIssuerSettings } from "../auth/issuers";
import { pools } from "../database/database";
import { DatabaseUnavailable } from "../database/errors";
import { forwardedAddresses } from "../http/client-address";
import { publicOrigin } from "../http/origin";
import { readUpkeep } from "../jobs/housekeeping";
import { checkSettings } from "../process/check-settings";
import { env, onVercel as isOnVercel } from "../process/env";
import { type Finding, look, ok, problem, reasonOf, unknown, warning } from "./finding";

const isProduction = process.env.NODE_ENV === "production";
const onVercel = isOnVercel();

/**
 * Looks at the app's settings and at its recurring work.
 *
 * @param headers of a request that came through the proxies; without one, they are not looked at
 */
export function examineApp(headers: Headers | null): Promise<Finding[]> {
  return Promise.all([
    look("App: settings", examineSettings),
    look("App: secrets", () => examineSecrets()),
    look("App: recurring functions", examineCrons, { explain: explainDatabase }),
    look("App: upkeep", examineUpkeep, { explain: explainDatabase }),
    look("Proxy: forwarded headers", () =>
      headers ? examineForwarded(headers) : unknown("Open /dashboard/health to see them."),
    ),
  ]);
}

const explainDatabase = (error: unknown) =>
  error instanceof DatabaseUnavailable ? unknown("The database does not answer.") : problem(`${reasonOf(error)}.`);

function examineSettings() {
  checkSettings();
  checkIssuerSettings();
  return ok("Every setting has an effect.");
}

/** Two more than the one that signs are enough to replace one twice. */
const mostSecrets = 3;

const random = "openssl rand -base64 32";

export function examineSecrets({
  APP_SECRET: secrets,
  CRON_SECRET,
}: Pick<typeof env, "APP_SECRET" | "CRON_SECRET"> = env) {
  const weak = secrets.findIndex((secret) => secret.length < 32 || new Set(secret).size < 10);
  if (weak >= 0) {
    const { length } = secrets[weak] ?? "";
    return problem(
      `Secret ${weak + 1} of APP_SECRET can be guessed: it has ${length} characters, ${new Set(secrets[weak]).size} of them different.`,
      `Put a new one in front, and remove this one: ${random}`,
    );
  }
  if (CRON_SECRET && secrets.includes(CRON_SECRET)) {
    return problem(
      "CRON_SECRET is one of APP_SECRET, so who may run jobs can sign URLs.",
      `Give it a secret of its own: ${random}`,
    );
  }
  if (new Set(secrets).size < secrets.length)
    return warning("APP_SECRET has the same secret twice.", "Remove one of them.");
  if (secrets.length > mostSecrets) {
    return warning(
      `APP_SECRET has ${secrets.length} secrets, and each of them still verifies.`,
      "Remove the last ones. docs/operating.md, “Replace the secret”, says when that signs somebody out.",
    );
  }
  const rotated = secrets.length > 1 ? `, and ${secrets.length - 1} before it still verify` : "";
  return ok(`The secret is long and random${rotated}.`);
}

/**
 * A job, or the hourly housekeeping, that is late by this many hours counts as forgotten. Vercel's free plan calls once a
 * day.
 */
const overdueHours = onVercel ? 26 : 3;

async function examineCrons() {
  const [row] = await pools.lookups.sql<{ waiting: number; since: string | null; age: number }>(
    `SELECT (SELECT count(*)::int FROM "_scheduled_functions" WHERE "state" = 'pending' AND "scheduledTime" < now() - make_interval(hours => $1::int)) AS "waiting",
       (SELECT max((step.value ->> 'succeeded')::float8) FROM "_system_state", jsonb_each("value") AS step WHERE "_system_state"."key" = 'upkeep') AS "since",
       (SELECT extract(epoch FROM now() - min(finished_at))::float8 / 3600 FROM "_prisma_migrations") AS "age"`,
    [overdueHours],
  );
  const { waiting = 0, since = null, age = 0 } = row ?? {};
  const fix = onVercel
    ? "Set CRON_SECRET to 16 random characters or more, and deploy with the crons of vercel.json."
    : "Keep a process of npm start running, or call this every minute, for example from crontab:\n" +
      `* * * * * curl -fsS -H "Authorization: Bearer $CRON_SECRET" ${env.APP_ORIGIN ?? "http://localhost:3000"}/api/cron`;
  const found = isProduction ? problem : warning;
  if (onVercel && !env.CRON_SECRET) return problem("CRON_SECRET is not set, so no recurring function runs.", fix);
  const hours = since === null ? age : (Date.now() - Number(since)) / 3_600_000;
  if (hours > overdueHours) {
    const last = since === null ? "never ran" : `last ran at ${new Date(Number(since)).toISOString()}`;
    return found(`The upkeep of each hour ${last}. ${waiting} jobs are overdue.`, fix);
  }
  if (waiting > 0) return found(`${waiting} jobs are overdue by more than ${overdueHours} hours.`, fix);
  return ok(since === null ? "The database is new, and upkeep has not run yet." : "Recurring functions run.");
}

async function examineUpkeep() {
  const failing = Object.entries(await readUpkeep()).filter(([, { failedSince }]) => failedSince !== undefined);
  if (failing.length === 0) return ok("No step of upkeep fails.");
  const steps = failing.map(
    ([step, { failedSince = 0, error }]) => `${step}, since ${new Date(failedSince).toISOString()}: ${error}`,
  );
  return problem(`Steps of upkeep fail. ${steps.join(". ")}`, "npm run kit -- logs --failed --function _kit.upkeep");
}

/** Compares the headers that the proxies added to a request with what `TRUST_PROXY` says about them. */
function examineForwarded(headers: Headers) {
  if (onVercel) return ok("Vercel names the client's address.");
  const hops = forwardedAddresses(headers).length;
  const trusted = env.TRUST_PROXY;
  const { host } = new URL(publicOrigin(headers));
  const asked = headers.get("x-forwarded-host")?.split(",")[0]?.trim() ?? headers.get("host");
  if (hops === 0 && trusted > 0) {
    return problem(
      `TRUST_PROXY is ${trusted}, but no proxy names the client's address in X-Forwarded-For, so limits count all clients as one, and ` +
        "a client may name any address.",
      "For nginx, in the location of the app:\nproxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\nWithout a proxy: TRUST_PROXY=0",
    );
  }
  if (hops !== trusted) {
    const effect = trusted > hops ? "limits count all clients as one" : "limits take a proxy for the client";
    return problem(
      `${hops} proxies named an address in X-Forwarded-For, and TRUST_PROXY is ${trusted}, so ${effect}.`,
      `TRUST_PROXY=${hops}`,
    );
  }
  if (asked && asked !== host) {
    return warning(
      `The proxy asks for the host ${asked}, and the app's is ${host}.`,
      "For nginx, in the location of the app:\nproxy_set_header Host $host;\nproxy_set_header X-Forwarded-Proto $scheme;",
    );
  }
  return ok(hops === 0 ? "No proxy is in front." : `${hops} proxies name the client's address, and are believed.`);
}
