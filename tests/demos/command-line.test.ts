import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { authRoute, trpcRoute } from "~/kit/next";
import { database, testApp } from "~/kit/testing";
import { flush, observeConsole } from "../kit/inside";

// The commands that work on this database and on a deployment alike.

// Each command runs in a process of its own, which takes time.
vi.setConfig({ testTimeout: 120_000 });

function kit(args: string[], env: Record<string, string> = {}) {
  const child = execFile(process.execPath, ["scripts/kit.mjs", ...args], { env: { ...process.env, ...env } });
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (text) => {
    stdout += text;
  });
  child.stderr?.on("data", (text) => {
    stderr += text;
  });
  return { child, ended: once(child, "close").then(([status]) => ({ status, stdout, stderr })), printed: () => stdout };
}

const server = createServer(trpcRoute(app));
let [url, token, adminId] = ["", "", ""];

async function signUp(email: string) {
  const handler = authRoute(app);
  const body = JSON.stringify({ name: "Ada", email, password: "correct horse" });
  const headers = { "Content-Type": "application/json", Origin: "http://app.test" };
  const signedUp = await handler(
    new Request("http://app.test/api/auth/sign-up/email", { method: "POST", headers, body }),
  );
  const cookie = signedUp.headers.getSetCookie().map((set) => set.split(";")[0]);
  const tokens = await handler(
    new Request("http://app.test/api/auth/token", { headers: { cookie: cookie.join("; ") } }),
  );
  const { token }: { token: string } = await tokens.json();
  const { id } = await database.user.findUniqueOrThrow({ where: { email } });
  return { id, token };
}

beforeAll(async () => {
  observeConsole();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const admin = await signUp("root@example.com");
  await database.user.update({ where: { id: admin.id }, data: { isAdmin: true } });
  [token, adminId] = [admin.token, admin.id];
});
afterAll(() => server.close());

describe.each(["this database", "a deployment"])("on %s", (where) => {
  const run = (...args: string[]) =>
    where === "this database" ? kit(args).ended : kit([...args, "--url", url], { KIT_TOKEN: token }).ended;

  test("call runs a function as a user, prints its result alone, and is recorded", async () => {
    const email = `ann-${where.length}@example.com`;
    const { id } = await signUp(email);
    const called = await run("call", "files.list", '{"limit":3}', "--as", email);
    expect(called).toMatchObject({ status: 0, stderr: expect.stringMatching(/Request \S+, \d+ ms/) });
    expect(JSON.parse(called.stdout)).toEqual({ page: [], nextCursor: null });
    await flush();
    const runner = where === "this database" ? "the command line" : `administrator ${adminId}`;
    const lines = await database.$queryRaw`
      SELECT "lines" -> 0 ->> 'text' AS "text" FROM "_calls" WHERE "function" = '_kit.runAs' ORDER BY "_id" DESC LIMIT 1`;
    expect(lines).toEqual([{ text: `Run by ${runner} as ${id}` }]);
  });

  test("call runs an internal function, and says why one fails", async () => {
    const [internal, refused, missing, nobody] = await Promise.all([
      run("call", "messages.listByAuthor", '{"author":"Nobody"}'),
      run("call", "files.list"),
      run("call", "files.none"),
      run("call", "files.list", "{}", "--as", "nobody@example.com"),
    ]);
    expect(internal.stdout).toBe("[]\n");
    expect([refused.status, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toMatch(/UNAUTHORIZED \(401\): /);
    expect(missing.stderr).toMatch(/There is no function "files.none"/);
    expect(nobody.stderr).toMatch(/There is no user/);
  });

  test("functions lists what there is, and logs what was called", async () => {
    const [functions, all, failed, one] = await Promise.all([
      run("functions"),
      run("logs"),
      run("logs", "--failed"),
      run("logs", "--function", "files.list"),
    ]);
    expect(functions.stdout).toMatch(/^messages\.sendMessage +mutation +{ body, author }$/m);
    expect(functions.stdout).toMatch(/^messages\.sendOne +internal mutation/m);
    expect(functions.stdout).toMatch(/^POST \/sendImage +httpAction *$/m);
    expect(all.stdout).toMatch(/ messages\.listByAuthor {2}ok {2}[\d.]+ ms {2}\S+$/m);
    expect(failed.stdout).toMatch(/ files\.list {2}UNAUTHORIZED /);
    expect(failed.stdout).not.toMatch(/ ok /);
    expect(one.stdout).not.toMatch(/messages/);
  });
});

test("logs --follow goes on with what happens", async () => {
  const { child, ended, printed } = kit(["logs", "--follow", "--url", url], { KIT_TOKEN: token });
  while (!printed().includes("_kit.runAs")) await once(child.stdout ?? child, "data");
  await testApp(app).nobody.messages.list({ limit: 1 });
  while (!printed().includes("messages.list  ok")) await once(child.stdout ?? child, "data");
  child.kill();
  await ended;
});

test("a deployment wants an administrator's token", async () => {
  expect((await kit(["functions", "--url", url]).ended).stderr).toMatch(/KIT_TOKEN/);
  const { token: ordinary } = await signUp("eve@example.com");
  const { status, stderr } = await kit(["functions", "--url", url], { KIT_TOKEN: ordinary }).ended;
  expect([status, stderr]).toEqual([1, expect.stringMatching(/not an administrator's/)]);
});
