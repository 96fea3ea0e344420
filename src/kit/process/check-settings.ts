import { existsSync } from "node:fs";
import { join } from "node:path";
import { directDatabaseUrl } from "../database/database";
import { readMatchers } from "../http/direct-routes";
import { readDriverEnv, stores } from "../storage/blobs";
import { env, onVercel } from "./env";

/**
 * Refuses the start for settings without an effect, such as one that needs another or that another turns off: the operator
 * expects an effect. Credentials of a store that is not chosen are allowed, because hosts set them.
 */
export function checkSettings(): void {
  for (const url of [env.DATABASE_URL, directDatabaseUrl()]) if (url) checkDatabaseUrl(url);
  const { STORAGE_DRIVER: driver } = readDriverEnv(process.env);
  if (env.STORAGE_REDIRECT_ABOVE !== undefined && driver === "disk") {
    throw new Error(
      "STORAGE_REDIRECT_ABOVE has no effect with files on disk: only a cloud store serves files itself. Remove it, or set " +
        "STORAGE_DRIVER.",
    );
  }
  const { first, second } = stores;
  if (process.env.STORAGE_DISK_PATH && driver !== "disk" && !second?.name.startsWith("disk"))
    throw new Error(
      `STORAGE_DISK_PATH has no effect with STORAGE_DRIVER=${driver}. Remove it, or set STORAGE_DRIVER=disk.`,
    );
  if (second?.name === first.name) {
    throw new Error(
      `SECOND_STORAGE_DRIVER and its settings name the same store, ${first.name}. Remove them, or name another one.`,
    );
  }
  const other = Object.keys(process.env).find((name) => /^SECOND_(STORAGE|S3)_/.test(name) && process.env[name]);
  if (!second && other)
    throw new Error(`${other} has no effect without SECOND_STORAGE_DRIVER. Set both, or remove it.`);
  const ofBucket = ["S3_BUCKET", "S3_REGION", "S3_ENDPOINT"].find((name) => process.env[name]);
  if (ofBucket && driver !== "s3" && !second?.name.startsWith("s3")) {
    throw new Error(
      `${ofBucket} has no effect with STORAGE_DRIVER=${driver}. Set STORAGE_DRIVER=s3 to keep files in the bucket, or remove it.`,
    );
  }
  if (env.CALL_LOG_ROWS === 0 && (process.env.CALL_LOG_DAYS || process.env.CALL_LOG_BYTES)) {
    throw new Error(
      "CALL_LOG_DAYS and CALL_LOG_BYTES have no effect with CALL_LOG_ROWS=0. Remove them, or keep some calls.",
    );
  }
  checkFilesOrigin();
  for (const pair of driver === "s3" ? [...pairs, ofS3] : pairs) {
    const [set, missing] = process.env[pair[0]] ? pair : [pair[1], pair[0]];
    if (process.env[set] && !process.env[missing])
      throw new Error(`${set} has no effect without ${missing}. Set both, or remove it.`);
  }
  const size = new URL(env.DATABASE_URL).searchParams.get("connection_limit");
  if (size !== null && env.DATABASE_POOL_SIZE !== undefined && Number(size) !== env.DATABASE_POOL_SIZE) {
    throw new Error(
      `connection_limit=${size} in DATABASE_URL has no effect with DATABASE_POOL_SIZE=${env.DATABASE_POOL_SIZE}. Remove one of them.`,
    );
  }
  const ofServer =
    onVercel() && ["TRUST_PROXY", "KEEP_ALIVE_TIMEOUT", "STOP_TIMEOUT"].find((name) => process.env[name]);
  if (ofServer && process.env[ofServer] !== "0")
    throw new Error(`${ofServer} has no effect on Vercel, where functions run behind its own proxy. Remove it.`);
}

/** Refuses a `basePath`, which the build puts in this variable, because URLs of files begin at the root of the origin. */
export function checkBasePath(): void {
  if (!process.env.__NEXT_ROUTER_BASEPATH) return;
  throw new Error(
    `The app cannot run below a path (basePath "${process.env.__NEXT_ROUTER_BASEPATH}" in next.config.mjs). Give it a host name ` +
      "of its own, for example files.example.com.",
  );
}

function checkFilesOrigin(): void {
  const { FILES_ORIGIN, APP_ORIGIN } = env;
  if (!FILES_ORIGIN) return;
  const refuse = (reason: string) => {
    throw new Error(`FILES_ORIGIN is ${FILES_ORIGIN}. ${reason}`);
  };
  if (onVercel()) {
    refuse(
      "Vercel serves the app's static files under all names of the project, so it has no effect there. Remove it.",
    );
  }
  if (!APP_ORIGIN) refuse("It needs APP_ORIGIN: set both, or remove it.");
  const [files, app] = [new URL(FILES_ORIGIN), new URL(APP_ORIGIN ?? FILES_ORIGIN)];
  // Cookies do not tell ports apart.
  if (files.hostname === app.hostname) refuse("Put another host name there than that of APP_ORIGIN.");
  if (app.protocol === "https:" && files.protocol !== "https:") {
    refuse("It must begin with https: like APP_ORIGIN, because browsers do not load http: files in an https: page.");
  }
}

/** Settings that need each other. */
const pairs = [
  ["SMTP_URL", "EMAIL_FROM"],
  ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"],
  ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"],
] as const;

const ofS3 = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const;

/** Parameters of URLs for Prisma's older engines and for libpq that have no effect here, and what to use instead. */
const useless: [RegExp, string][] = [
  [/^sslaccept$/, "use sslmode=verify-full with sslrootcert, or sslmode=no-verify"],
  [/^sslidentity$/, "use sslcert and sslkey"],
  [/^sslpassword$/, "decrypt the key, and use sslcert and sslkey"],
  [/^socket_timeout$/, "a statement has 15 seconds"],
  [/^single_use_connections$/, "connections are pooled"],
  [/^max_connection_lifetime$/, "connections are kept as long as they are used"],
  [/^max_idle_connection_lifetime$/, "idle connections close after 10 seconds"],
  [/^(keepalives.*|tcp_user_timeout)$/, "a connection is probed after 10 seconds of silence"],
  [/^(target_session_attrs|load_balance_hosts|hostaddr)$/, "name one host, which accepts writes"],
  [
    /^(gss\w+|krbsrvname|require_?auth|requirepeer|sslcrl\w*|sslcompression|sslsni|ssl_m\w+)$/,
    "use sslmode=verify-full",
  ],
  [/^(passfile|service|servicefile)$/, "write the user and the password into the URL"],
];

/** Parameters that have an effect, or that hosts write and that do no harm. */
const known =
  /^(host|port|user|password|db|ssl|sslmode|sslrootcert|sslcert|sslkey|sslnegotiation|uselibpqcompat|channel_binding|options|(fallback_)?application_name|client_encoding|\w+_timeout|connection_limit|statement_cache_size|pgbouncer|schema|search_path|currentSchema|supa|workaround)$/;

const sslModes = ["disable", "prefer", "require", "verify-ca", "verify-full", "no-verify"];

function checkDatabaseUrl(url: string): void {
  const { searchParams, hostname } = new URL(url);
  const host = searchParams.get("host") || hostname;
  const has = (parameter: string) => `The database URL of ${host} has "${parameter}"`;
  const refuse = (parameter: string, advice: string) => {
    throw new Error(`${has(parameter)}, which has no effect here: ${advice}. Remove it.`);
  };
  if (host.includes(","))
    throw new Error(`The database URL names the hosts ${host}. Name one host, which accepts writes.`);
  const schema = schemaOf(searchParams);
  if (schema && schema !== "public") {
    refuse(`schema=${schema}`, "the tables are in the schema public. Give the app a database of its own");
  }
  for (const name of searchParams.keys()) {
    const [, advice] = useless.find(([names]) => names.test(name)) ?? [];
    if (advice) refuse(name, advice);
    // The parameter may be misspelt, or a host may add it for other clients.
    if (!known.test(name)) console.warn(`${has(name)}, which has no effect here.`);
  }
  if ((searchParams.get("statement_cache_size") ?? "0") !== "0")
    refuse("statement_cache_size", "no statement is cached");

  for (const name of ["connection_limit", "pool_timeout", "connect_timeout"]) {
    const value = searchParams.get(name);
    if (value === null || /^[1-9]\d{0,5}$/.test(value)) continue;
    throw new Error(`${has(`${name}=${value}`)}. Put a whole number there, 1 or more.`);
  }
  const sslMode = searchParams.get("sslmode");
  if (sslMode !== null && !sslModes.includes(sslMode)) {
    throw new Error(`${has(`sslmode=${sslMode}`)}. Use one of ${sslModes.join(", ")}.`);
  }
  if (searchParams.has("sslcert") !== searchParams.has("sslkey")) {
    const [set, missing] = searchParams.has("sslcert") ? ["sslcert", "sslkey"] : ["sslkey", "sslcert"];
    throw new Error(`${has(set)}, which has no effect without ${missing}. Set both, or remove it.`);
  }
  for (const name of ["sslrootcert", "sslcert", "sslkey"]) {
    const path = searchParams.get(name);
    if (path === null) continue;
    if (sslMode === "disable" || (sslMode === "no-verify" && name === "sslrootcert"))
      refuse(name, `sslmode=${sslMode} does not use it. Use sslmode=verify-full`);
    if (existsSync(path)) continue;
    const advice = path === "system" ? " Leave it out: Node.js trusts public authorities by itself." : "";
    throw new Error(`${has(`${name}=${path}`)}, but there is no such file.${advice}`);
  }
}

/**
 * Returns the schema that a URL asks for, in the spelling of Prisma, libpq and others. scripts/database.mjs does the same.
 */
function schemaOf(parameters: URLSearchParams): string | undefined {
  const [, option] = /search[_-]path\s*=\s*(\S+)/.exec(parameters.get("options") ?? "") ?? [];
  return parameters.get("schema") ?? parameters.get("search_path") ?? parameters.get("currentSchema") ?? option;
}

/** Examples of paths whose bodies can be large and must arrive whole. */
const bodies = ["/api/storage/upload", "/http/sendImage"];

/** A matcher without these paths. */
const advice = "/((?!api/storage|http|_next/static).*)";

/**
 * Refuses the start when the app's `src/proxy.ts` or `src/middleware.ts` matches requests that carry files. Next.js passes on only the first 10 MiB
 * of such a body, and without a `Content-Length` the app cannot detect that.
 *
 * @param folder of the build
 */
export async function checkProxy(folder = join(process.cwd(), ".next")): Promise<void> {
  const matchers = (await readMatchers(folder)) ?? [];
  const found = matchers.find(({ regexp }) => bodies.some((path) => new RegExp(regexp).test(path)));
  if (!found) return;
  throw new Error(
    `The matcher "${found.originalSource}" of src/proxy.ts or src/middleware.ts matches requests that carry files. Next.js passes on only the first ` +
      `10 MiB of them. Exclude these paths, and build again: export const config = { matcher: ["${advice}"] };`,
  );
}
