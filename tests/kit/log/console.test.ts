import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { query } from "~/kit/functions/builders";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { observeConsole } from "~/kit/log/function-log";

const methods = ["debug", "log", "info", "warn", "error"] as const;
const printed: string[] = [];

vi.stubEnv("NODE_ENV", "production");
for (const method of methods) vi.spyOn(console, method).mockImplementation((line) => void printed.push(line));
observeConsole();
afterAll(() => {
  vi.unstubAllEnvs();
});
beforeEach(() => {
  printed.length = 0;
});

const logged = () => printed.map((line) => JSON.parse(line));

const speak = query({
  handler: () => {
    console.log("hello %s", "Ann", { nested: { deep: 1 } });
    console.debug("two\nlines");
  },
});
const fail = query({
  handler: () => {
    throw new Error("broke", { cause: new Error("of https://s3.test/?token=secret") });
  },
});
const serve = serveRouter(createRouter({ test: { speak, fail } }));
const call = (name: string) => serve(new Request(`http://app.test/api/trpc/test.${name}`));

test("what a function prints in production, one JSON object a line, with request and function", async () => {
  const requestId = (await call("speak")).headers.get("x-request-id");
  expect(printed.every((line) => !line.includes("\n"))).toBe(true);
  expect(logged()).toEqual([
    {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      level: "info",
      message: "hello Ann { nested: { deep: 1 } }",
      requestId,
      function: "test.speak",
    },
    expect.objectContaining({ level: "debug", message: "two\nlines", requestId, function: "test.speak" }),
  ]);
});

test("an unexpected error in production, with its stack, its causes, and no secret", async () => {
  const response = await call("fail");
  const requestId = response.headers.get("x-request-id");
  expect(response.status).toBe(500);
  expect(logged()).toMatchObject([
    {
      level: "error",
      message: `Request ${requestId} to test.fail failed:`,
      requestId,
      function: "test.fail",
      error: expect.stringMatching(
        /^Error: broke\n +at (?:.*\n)*Caused by: Error: of https:\/\/s3\.test\/\?token=\[secret\]\n +at/,
      ),
    },
  ]);
});

test("an error of several in production, with each of them", () => {
  console.error("No answer:", new AggregateError([new Error("refused by ::1"), new Error("refused by 127.0.0.1")]));
  expect(logged()[0].error).toMatch(
    /^AggregateError(.*\n)*Caused by: Error: refused by ::1\n(.*\n)*Caused by: Error: refused by 127/,
  );
});

test("what the server itself prints in production, without a request", () => {
  console.warn(new Error("on its own"));
  console.error("with %d%% of", 5, "arguments");
  expect(logged()).toEqual([
    { time: expect.any(String), level: "warn", message: "Error: on its own", error: expect.stringContaining("at ") },
    { time: expect.any(String), level: "error", message: "with 5% of arguments" },
  ]);
});
