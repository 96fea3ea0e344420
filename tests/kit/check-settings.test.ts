import { afterEach, describe, expect, test, vi } from "vitest";
import { checkSettings } from "~/kit/process/check-settings";
import { env } from "~/kit/process/env";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.resetModules();
});

const s3 = { STORAGE_DRIVER: "s3", S3_BUCKET: "b", S3_REGION: "r", STORAGE_DISK_PATH: "" };
const vercel = { VERCEL: "1", BLOB_STORE_ID: "store_1", STORAGE_DISK_PATH: "" };

const database = (url: string) => vi.spyOn(env, "DATABASE_URL", "get").mockReturnValue(url);

describe("the start is refused", () => {
  test.each([
    ["schema=app", "schema=app"],
    ["sslaccept=accept_invalid_certs", "sslaccept"],
    ["socket_timeout=5", "socket_timeout"],
    ["options=-c%20search_path%3Dapp", "schema=app"],
    ["options=--search-path%3Dapp", "schema=app"],
    ["search_path=app", "schema=app"],
    ["currentSchema=app", "schema=app"],
    ["target_session_attrs=read-write", "target_session_attrs"],
    ["keepalives_idle=30", "keepalives_idle"],
    ["gssencmode=require", "gssencmode"],
    ["sslcrl=/a.pem", "sslcrl"],
    ["passfile=/a", "passfile"],
    ["max_idle_connection_lifetime=30", "max_idle_connection_lifetime"],
    ["single_use_connections=true", "single_use_connections"],
    ["statement_cache_size=100", "statement_cache_size"],
  ])("for %s in the database's URL, which would have no effect", (query, named) => {
    database(`postgresql://db.example.com/a?${query}`);
    expect(checkSettings).toThrow(named);
    expect(checkSettings).toThrow("db.example.com");
  });

  test("not for a parameter that nobody knows, which is named in the log", () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    database("postgresql://db.example.com/a?conection_limit=5&supa=base-pooler.x&channel_binding=require");
    checkSettings();
    expect(warn.mock.calls).toEqual([[expect.stringContaining('db.example.com has "conection_limit"')]]);
  });

  test.each([
    ["sslmode=verify-full&sslcert=/a.pem", "sslcert", "no effect without sslkey"],
    ["sslmode=verify-full&sslkey=/a.pem", "sslkey", "no effect without sslcert"],
    ["sslmode=no-verify&sslrootcert=/a.pem", "sslrootcert", "sslmode=no-verify does not use it"],
    ["sslmode=disable&sslrootcert=/a.pem", "sslrootcert", "sslmode=disable does not use it"],
  ])("for %s in the database's URL, half of which has no effect", (query, name, advice) => {
    database(`postgresql://db.example.com/a?${query}`);
    expect(checkSettings).toThrow(name);
    expect(checkSettings).toThrow(advice);
  });

  test.each([
    ["connection_limit=0", "Put a whole number there, 1 or more"],
    ["connection_limit=many", "Put a whole number there, 1 or more"],
    ["pool_timeout=0", "Put a whole number there, 1 or more"],
    ["connect_timeout=5s", "Put a whole number there, 1 or more"],
    ["connection_limit=99999999999", "Put a whole number there"],
    ["sslmode=on", "Use one of disable, prefer"],
    ["sslmode=allow", "Use one of disable, prefer"],
    ["sslmode=verify-full&sslrootcert=system", "Leave it out: Node.js trusts public authorities by itself"],
    ["sslmode=verify-full&sslrootcert=/missing/ca.pem", "there is no such file"],
  ])("for %s in the database's URL, with what to put there", (query, advice) => {
    database(`postgresql://db.example.com/a?${query}`);
    expect(checkSettings).toThrow(advice);
  });

  test.each([
    ["without APP_ORIGIN", undefined, "https://files.example.com", "It needs APP_ORIGIN"],
    ["with the host of APP_ORIGIN", "https://example.com", "https://example.com:8443", "Put another host name there"],
    ["with http: beside https:", "https://example.com", "http://files.example.com", "It must begin with https:"],
  ])("for FILES_ORIGIN %s", (_, app, files, advice) => {
    vi.spyOn(env, "APP_ORIGIN", "get").mockReturnValue(app);
    vi.spyOn(env, "FILES_ORIGIN", "get").mockReturnValue(files);
    expect(checkSettings).toThrow(`FILES_ORIGIN is ${files}. ${advice}`);
  });

  test("for FILES_ORIGIN on Vercel", () => {
    for (const [name, value] of Object.entries(vercel)) vi.stubEnv(name, value);
    vi.spyOn(env, "FILES_ORIGIN", "get").mockReturnValue("https://files.example.com");
    expect(checkSettings).toThrow("Vercel serves the app's static files under all names of the project");
  });

  test("for STORAGE_REDIRECT_ABOVE with files on disk", () => {
    vi.spyOn(env, "STORAGE_REDIRECT_ABOVE", "get").mockReturnValue(1);
    expect(checkSettings).toThrow("STORAGE_REDIRECT_ABOVE has no effect");
  });

  test.each([
    ["SMTP_URL", "EMAIL_FROM"],
    ["EMAIL_FROM", "SMTP_URL"],
    ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"],
    ["GITHUB_CLIENT_SECRET", "GITHUB_CLIENT_ID"],
    ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"],
    ["GOOGLE_CLIENT_SECRET", "GOOGLE_CLIENT_ID"],
  ])("for %s without %s", (set, missing) => {
    vi.stubEnv(set, "smtp://mail.example.com");
    expect(checkSettings).toThrow(`${set} has no effect without ${missing}`);
  });

  test.each([
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"],
  ])("for %s without %s, where S3 is chosen", (set, missing) => {
    for (const [name, value] of Object.entries(s3)) vi.stubEnv(name, value);
    vi.stubEnv(set, "a");
    expect(checkSettings).toThrow(`${set} has no effect without ${missing}`);
  });

  test("for a folder of files where a cloud store is chosen", () => {
    for (const [name, value] of Object.entries({ ...s3, STORAGE_DISK_PATH: "/data" })) vi.stubEnv(name, value);
    expect(checkSettings).toThrow("STORAGE_DISK_PATH has no effect with STORAGE_DRIVER=s3");
  });

  test("for two sizes of the pool", () => {
    database("postgresql://db.example.com/a?connection_limit=3");
    vi.spyOn(env, "DATABASE_POOL_SIZE", "get").mockReturnValue(4);
    expect(checkSettings).toThrow("connection_limit=3 in DATABASE_URL has no effect with DATABASE_POOL_SIZE=4");
  });

  test.each(["TRUST_PROXY", "KEEP_ALIVE_TIMEOUT", "STOP_TIMEOUT"])("for %s on Vercel", (name) => {
    for (const [other, value] of Object.entries(vercel)) vi.stubEnv(other, value);
    vi.stubEnv(name, "1");
    expect(checkSettings).toThrow(`${name} has no effect on Vercel`);
  });

  test.each([
    "postgresql://a.example.com:5432,b.example.com:5432/a",
    "postgresql://a.example.com,b.example.com/a",
    "postgresql:///a?host=a.example.com,b.example.com",
  ])("for several hosts: %s", async (url) => {
    const refusal = async () => {
      vi.stubEnv("DATABASE_URL", url);
      vi.resetModules();
      (await import("~/kit/process/check-settings")).checkSettings();
    };
    await expect(refusal).rejects.toThrow(/one host/);
  });

  test.each(["S3_BUCKET", "S3_REGION", "S3_ENDPOINT"])("for %s while files are kept elsewhere", (name) => {
    vi.stubEnv(name, "https://s3.example.com");
    expect(checkSettings).toThrow(`${name} has no effect with STORAGE_DRIVER=disk. Set STORAGE_DRIVER=s3`);
  });

  test("for limits of a log that is switched off", () => {
    vi.spyOn(env, "CALL_LOG_ROWS", "get").mockReturnValue(0);
    vi.stubEnv("CALL_LOG_DAYS", "3");
    expect(checkSettings).toThrow("CALL_LOG_ROWS=0");
  });
});

test("what takes effect is let be, and so are credentials of a store that is not chosen", () => {
  database(
    "postgresql://a/a?schema=public&connection_limit=3&pool_timeout=5&connect_timeout=15&pgbouncer=true&statement_cache_size=0&sslmode=require&channel_binding=require",
  );
  vi.stubEnv("AWS_ACCESS_KEY_ID", "a");
  checkSettings();
});

test.each([
  ["APP_ORIGIN", "https://example.com/files", "without a path"],
  ["APP_ORIGIN", "https://example.com,https://www.example.com", "without a path"],
  ["TRUST_PROXY", "yes", "a whole number there, 0 or more"],
  ["KEEP_ALIVE_TIMEOUT", "70s", "a whole number there, 1 or more"],
  ["KEEP_ALIVE_TIMEOUT", "9999999999", "at most 2147483647"],
  ["ACTION_TIMEOUT", "9999999999", "at most 2147483647"],
  ["DELETED_FILE_RETENTION_HOURS", "99999999999", "at most 876000"],
  ["CALL_LOG_DAYS", "-1", "a number of days there"],
  ["FETCH_PORTS", "80,70000", "put ports there"],
  ["FETCH_PORTS", "80;443", "put ports there"],
  ["EMAIL_FROM", "Files", "put an address there"],
  ["SMTP_URL", "smtp.example.com", "put the URL of an SMTP server there"],
  ["AUTH_ISSUER", "accounts.example.com", "put the issuer's URL there"],
  ["AUTH_JWKS_URL", "jwks", "the URL of the issuer's keys"],
  ["AUTH_WITHOUT_AUDIENCE", "yes", "put 1 there"],
  ["LIVE_TRANSPORT", "sse", "stream"],
  ["STORAGE_CACHE", "none", "public"],
  ["CRON_SECRET", "short", "16 random characters"],
  ["APP_SECRET", "short", "32 characters"],
  ["DATABASE_URL", "mysql://a/b", "put a PostgreSQL URL with one host there"],
  ["DATABASE_POOL_SIZE", "1001", "at most 1000"],
])("%s=%s stops the start, which says what to put there", async (name, value, advice) => {
  vi.stubEnv(name, value);
  await expect(import("~/kit/process/env")).rejects.toThrow(advice);
});
