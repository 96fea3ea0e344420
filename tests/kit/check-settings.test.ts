import { afterEach, describe, expect, test, vi } from "vitest";
import { env } from "~/kit/process/env";
import { checkSettings } from "~/kit/process/start";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const database = (url: string) => vi.spyOn(env, "DATABASE_URL", "get").mockReturnValue(url);

describe("the start is refused", () => {
  test.each([
    ["schema=app", "schema=app"],
    ["sslaccept=accept_invalid_certs", "sslaccept"],
    ["socket_timeout=5", "socket_timeout"],
  ])("for %s in the database's URL, which would have no effect", (query, named) => {
    database(`postgresql://db.example.com/a?${query}`);
    expect(checkSettings).toThrow(named);
    expect(checkSettings).toThrow("db.example.com");
  });

  test("for STORAGE_REDIRECT_ABOVE with files on disk", () => {
    vi.spyOn(env, "STORAGE_REDIRECT_ABOVE", "get").mockReturnValue(1);
    expect(checkSettings).toThrow("STORAGE_REDIRECT_ABOVE has no effect");
  });

  test("for limits of a log that is switched off", () => {
    vi.spyOn(env, "CALL_LOG_ROWS", "get").mockReturnValue(0);
    vi.stubEnv("CALL_LOG_DAYS", "3");
    expect(checkSettings).toThrow("CALL_LOG_ROWS=0");
  });
});

test("what takes effect is let be, and so are credentials of a store that is not chosen", () => {
  database("postgresql://a/a?schema=public&connection_limit=3&pool_timeout=5&pgbouncer=true&sslmode=require");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "a");
  vi.stubEnv("S3_BUCKET", "b");
  checkSettings();
});
