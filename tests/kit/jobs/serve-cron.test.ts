import { expect, test, vi } from "vitest";

const ask = async (secret: string | undefined, authorization?: string) => {
  vi.resetModules();
  vi.stubEnv("CRON_SECRET", secret);
  const { crons } = (await import("~/functions")).app;
  const { serveCron } = await import("~/kit/jobs/runner");
  const headers = authorization ? { authorization } : undefined;
  const response = await serveCron(crons)(new Request("http://app.test/api/cron", { headers }));
  vi.unstubAllEnvs();
  return response;
};

test.each([
  ["the right secret", "0123456789abcdef", "Bearer 0123456789abcdef", 200],
  ["a wrong one", "0123456789abcdef", "Bearer 0123456789abcdeg", 401],
  ["none", "0123456789abcdef", undefined, 401],
  ["none when none is set", undefined, undefined, 401],
  ["undefined when none is set", undefined, "Bearer undefined", 401],
])("GET /api/cron with %s, %#", async (_, secret, authorization, status) => {
  expect((await ask(secret, authorization)).status).toBe(status);
});
