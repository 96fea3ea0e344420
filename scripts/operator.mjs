import { randomBytes } from "node:crypto";
import { register } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { tsImport } from "tsx/esm/api";
import { developmentSecret } from "./checkout.mjs";
import { withDatabase } from "./database.mjs";

/**
 * @typedef {{ name: string, kind: string, isInternal: boolean, args: { properties?: object, required?: string[] } | null }} Fn
 * @typedef {{ result: unknown } | { error: { code: string, message: string } }} Outcome
 * @typedef {{ _id: string, time: number, requestId: string, function: string, depth: number, outcome: string, duration: number,
 *   lines: { level: string, text: string }[], error: string | null }} Call
 *
 * @typedef {object} Operator what an administrator can do with an app
 * @property {() => Promise<Fn[]>} functions
 * @property {(email: string) => Promise<{ id: string, email: string }[]>} users
 * @property {(call: { name: string, args: object, userId: string | null }) =>
 *   Promise<{ requestId: string, milliseconds: number, outcome: Outcome }>} run
 * @property {(filter: { function?: string, outcome?: string, after?: number, limit: number }) =>
 *   Promise<{ calls: Call[] }>} calls
 *
 * @typedef {{ check: string, state: "ok" | "warning" | "problem" | "unknown", message: string, fix?: string }} Finding
 */

/** Standard output is for results alone. @param {string} line */
const print = (line) => process.stdout.write(`${line}\n`);

/**
 * Does `work` with a deployment at `url`, or without one with the app on the database that is configured here.
 *
 * @param {{ url?: string, token?: string }} options
 * @param {(operator: Operator) => Promise<void>} work
 */
export async function withOperator({ url, token = process.env.KIT_TOKEN }, work) {
  if (url === undefined) return withApp(work);
  if (!token) {
    throw new Error(
      "--url needs an administrator's token: set KIT_TOKEN. Signed in as an administrator, open /api/auth/token to get one for " +
        "15 minutes.",
    );
  }
  return work(operatorAt(url, token));
}

/** @param {(operator: Operator) => Promise<void>} work */
function withApp(work) {
  // An app's modules may import this to stay out of browsers. Without a bundler it would throw.
  const resolve = `export const resolve = (name, context, next) =>
    name === "server-only" ? { url: "data:text/javascript,", shortCircuit: true } : next(name, context);`;
  register(`data:text/javascript,${encodeURIComponent(resolve)}`, import.meta.url);
  return withKit(async () => {
    const { app, operatorOf } = await tsImport("./app.mjs", import.meta.url);
    await work(operatorOf(app));
  });
}

/**
 * Does `work` with the settings of the app's database, and closes what the kit opened on it.
 *
 * @template T
 * @param {(url: string) => Promise<T>} work
 * @param {{ asServed?: boolean }} [options] whether the settings must be those of a server, which has a pooler and a secret
 * @returns {Promise<T>}
 */
export function withKit(work, { asServed = false } = {}) {
  return withDatabase(async (url) => {
    if (!asServed || !process.env.DATABASE_URL) process.env.DATABASE_URL = url;
    if (process.env.NODE_ENV !== "production") process.env.APP_SECRET ??= developmentSecret();
    else if (!asServed) process.env.APP_SECRET ??= randomBytes(32).toString("hex");
    try {
      return await work(url);
    } finally {
      const { storageKit } = /** @type {{ storageKit?: { pools?: Record<string, { end(): Promise<void> }> } }} */ (
        /** @type {unknown} */ (globalThis)
      );
      await Promise.all(Object.values(storageKit?.pools ?? {}).map((pool) => pool.end()));
    }
  });
}

/**
 * Looks at the surroundings of the app that is configured here, or of a deployment at `url`: through its proxies, and with an
 * administrator's token from inside, too.
 *
 * @param {{ url?: string, token?: string }} options
 * @returns {Promise<Finding[]>}
 */
export async function examine({ url, token = process.env.KIT_TOKEN }) {
  if (url !== undefined) {
    const { examineProxy } = await tsImport("../src/kit/doctor/proxy.ts", import.meta.url);
    const outside = await examineProxy(url);
    if (!token)
      console.error("Without an administrator's token in KIT_TOKEN, the deployment is only looked at from outside.");
    return [...outside, ...(token ? await operatorAt(url, token).examine() : [])];
  }
  return withKit(
    async () => {
      const loaded = await tsImport("../src/kit/doctor/doctor.ts", import.meta.url).catch((error) => ({ error }));
      if ("error" in loaded) return [{ check: "App: settings", state: "problem", message: loaded.error.message }];
      const origin = process.env.APP_ORIGIN || `http://localhost:${process.env.PORT || 3000}`;
      return loaded.examine({ origin, headers: null, throughProxy: true });
    },
    { asServed: true },
  );
}

const marks = { ok: "✓", warning: "!", problem: "✗", unknown: "?" };

/** Prints what was found, with what to do. @param {Finding[]} findings */
export function printFindings(findings) {
  for (const { check, state, message, fix } of findings) {
    print(`${marks[state]} ${check}: ${message}`);
    if (fix) print(`${fix}`.replaceAll(/^/gm, "    "));
  }
  const count = (/** @type {string} */ wanted) => findings.filter(({ state }) => state === wanted).length;
  print(`${findings.length} checks, ${count("problem")} problems, ${count("warning")} warnings.`);
}

/**
 * @param {string} url
 * @param {string} token
 * @returns {Operator & { examine: () => Promise<Finding[]> }}
 */
function operatorAt(url, token) {
  /** @type {(method: string, name: string, input?: object) => Promise<any>} */
  const ask = async (method, name, input = {}) => {
    const json = JSON.stringify({ json: input });
    const query = method === "GET" ? `?input=${encodeURIComponent(json)}` : "";
    const response = await fetch(new URL(`/api/trpc/dashboard.${name}${query}`, url), {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: method === "GET" ? null : json,
    });
    const answer = await response.json().catch(() => null);
    if (answer?.result) return answer.result.data.json;
    // The server answers callers who are not administrators as if there were no dashboard.
    const isHidden = answer?.error?.json?.message.startsWith("No procedure found") ?? response.status === 404;
    if (isHidden) throw new Error(`The token is not an administrator's, or ${url} does not run this kit.`);
    throw new Error(answer?.error?.json?.message ?? `${url} answered ${response.status}`);
  };
  return {
    functions: () => ask("GET", "functions.list"),
    users: async (search) => (await ask("GET", "users.list", { search })).page,
    run: (call) => ask("POST", "functions.run", call),
    calls: (filter) => ask("GET", "calls.list", filter),
    examine: () => ask("GET", "health.examine", { throughProxy: false }),
  };
}

/**
 * Runs a function and prints its result as JSON.
 *
 * @param {Operator} operator
 * @param {{ name: string, args: string, as?: string }} call
 */
export async function call(operator, { name, args, as }) {
  const userId = as === undefined ? null : await userIdOf(operator, as);
  const { outcome, requestId, milliseconds } = await operator.run({ name, args: parseArguments(args), userId });
  console.error(`Request ${requestId}, ${milliseconds.toFixed()} ms`);
  if ("error" in outcome) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
  print(JSON.stringify(outcome.result ?? null, null, 2));
}

/** @param {string} json */
function parseArguments(json) {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Error(
      `The arguments are not JSON: ${error instanceof Error ? error.message : error}. Put them in quotes.`,
    );
  }
}

/**
 * @param {Operator} operator
 * @param {string} as an email address, or an id
 */
async function userIdOf(operator, as) {
  if (!as.includes("@")) return as;
  const email = as.toLowerCase();
  const user = (await operator.users(email)).find((each) => each.email === email);
  if (!user) throw new Error(`There is no user ${JSON.stringify(as)}.`);
  return user.id;
}

/** @param {Operator} operator */
export async function printFunctions(operator) {
  for (const { name, kind, isInternal, args } of await operator.functions()) {
    const required = args?.required ?? [];
    const names = Object.keys(args?.properties ?? {}).map((arg) => (required.includes(arg) ? arg : `${arg}?`));
    print(
      `${name.padEnd(32)} ${`${isInternal ? "internal " : ""}${kind}`.padEnd(18)} ${args && names.length > 0 ? `{ ${names.join(", ")} }` : ""}`,
    );
  }
}

/**
 * Prints calls, the oldest first, and goes on with new ones if `follow`.
 *
 * @param {Operator} operator
 * @param {{ function?: string, failed: boolean, follow: boolean }} options
 */
export async function printLogs(operator, { function: name, failed, follow }) {
  const filter = { function: name, outcome: failed ? "error" : undefined };
  /** Calls become visible up to a second after they ended, in any order. @type {Map<string, number>} */
  const printed = new Map();
  const overlap = 5_000;
  let after = 0;
  do {
    const { calls } = await operator.calls({ ...filter, ...(after > 0 && { after }), limit: after > 0 ? 200 : 50 });
    for (const each of calls.reverse()) {
      if (!printed.has(each._id)) printCall(each);
      printed.set(each._id, each.time);
      after = Math.max(after, each.time - overlap);
    }
    after ||= Date.now() - overlap;
    for (const [id, time] of printed) if (time < after) printed.delete(id);
    if (follow) await sleep(1_000);
  } while (follow);
}

/** @param {Call} call */
function printCall({ time, depth, requestId, outcome, duration, lines, error, ...call }) {
  const indent = "  ".repeat(depth);
  print(
    `${new Date(time).toISOString()}  ${indent}${call.function}  ${outcome}  ${duration.toFixed(1)} ms  ${requestId}`,
  );
  for (const { level, text } of lines) print(`${indent}    ${level}: ${text.replaceAll("\n", `\n${indent}    `)}`);
  if (error) print(`${indent}    ${error.replaceAll("\n", `\n${indent}    `)}`);
}
