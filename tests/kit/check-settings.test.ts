import { afterEach, describe, expect, test, vi } from "vitest";
import { env } from "~/kit/process/env";
import { checkSettings } from "~/kit/process/start";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.resetModules();
});

const database = (url: string) => vi.spyOn(env, "DATABASE_URL", "get").mockReturnValue(url);

describe("the start is refused", () => {
  test.each([
    ["schema=app", "schema=app"],
    ["sslaccept=accept_invalid_certs", "sslaccept"],
    ["socket_timeout=5", "socket_timeout"],
    ["options=-c%20search_path%3Dapp", "schema=app"],
    ["max_idle_connection_lifetime=30", "max_idle_connection_lifetime"],
    ["single_use_connections=true", "single_use_connections"],
    ["statement_cache_size=100", "statement_cache_size"],
  ])("for %s in the database's URL, which would have no effect", (query, named) => {
    database(`postgresql://db.example.com/a?${query}`);
    expect(checkSettings).toThrow(named);
    expect(checkSettings).toThrow("db.example.com");
  });

  test.each([
    ["connection_limit=0", "Put a whole number there, 1 or more"],
    ["connection_limit=many", "Put a whole number there, 1 or more"],
    ["pool_timeout=0", "Put a whole number there, 1 or more"],
    ["connect_timeout=5s", "Put a whole number there, 1 or more"],
    ["sslmode=on", "Use one of disable, prefer"],
    ["sslmode=verify-full&sslrootcert=/missing/ca.pem", "there is no such file"],
  ])("for %s in the database's URL, with what to put there", (query, advice) => {
    database(`postgresql://db.example.com/a?${query}`);
    expect(checkSettings).toThrow(advice);
  });

  test("for STORAGE_REDIRECT_ABOVE with files on disk", () => {
    vi.spyOn(env, "STORAGE_REDIRECT_ABOVE", "get").mockReturnValue(1);
    expect(checkSettings).toThrow("STORAGE_REDIRECT_ABOVE has no effect");
  });

  test.each([
    ["SMTP_URL", "EMAIL_FROM"],
    ["EMAIL_FROM", "SMTP_URL"],
    ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"],
    ["GOOGLE_CLIENT_SECRET", "GOOGLE_CLIENT_ID"],
  ] as const)("for %s without %s", (set, missing) => {
    vi.spyOn(env, set, "get").mockReturnValue("smtp://mail.example.com");
    expect(checkSettings).toThrow(`${set} has no effect without ${missing}`);
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
  vi.stubEnv("S3_BUCKET", "b");
  checkSettings();
});

test.each([
  ["APP_ORIGIN", "https://example.com/files", "without a path"],
  ["APP_ORIGIN", "https://example.com,https://www.example.com", "without a path"],
  ["TRUST_PROXY", "yes", "a whole number there, 0 or more"],
  ["KEEP_ALIVE_TIMEOUT", "70s", "a whole number there, 1 or more"],
])("%s=%s stops the start, which says what to put there", async (name, value, advice) => {
  vi.stubEnv(name, value);
  await expect(import("~/kit/process/env")).rejects.toThrow(advice);
});
