import { beforeAll, describe, expect, test } from "vitest";
import type { Run } from "~/kit/dashboard/functions";
import { pool } from "~/kit/database/database";
import { flush, observeConsole } from "~/kit/log/function-log";
import { post } from "../caller";
import { account } from "./administrator";

let functions: Awaited<ReturnType<typeof account>>["api"]["dashboard"]["functions"];

let admin: Awaited<ReturnType<typeof account>>;

beforeAll(async () => {
  observeConsole();
  admin = await account({ isAdmin: true });
  functions = admin.api.dashboard.functions;
});

const resultOf = ({ outcome }: Run) => ("result" in outcome ? outcome.result : outcome.error);

describe("list", () => {
  test("every function, internal ones marked, with the shape of its arguments", async () => {
    const all = await functions.list();
    const named = (name: string) => all.find((fn) => fn.name === name);
    expect(named("messages.sendMessage")).toEqual({
      name: "messages.sendMessage",
      kind: "mutation",
      isInternal: false,
      args: expect.objectContaining({
        properties: {
          body: expect.objectContaining({ type: "string", maxLength: 10_000 }),
          author: expect.objectContaining({ type: "string", maxLength: 100 }),
        },
        required: ["body", "author"],
      }),
    });
    expect(named("files.read")?.kind).toBe("action");
    expect(named("messages.list")?.args?.required).toBeUndefined();
    expect(named("messages.sendOne")?.isInternal).toBe(true);
    expect(named("_kit.upkeep")?.isInternal).toBe(true);
    expect(named("GET /getAuthorMessages/*")).toMatchObject({ kind: "httpAction", args: null });
  });
});

describe("run", () => {
  test("a mutation as a user, whose it is then", async () => {
    const { user, api } = await account({ isAdmin: false });
    const args = { author: "Ada", body: "Run" };
    const run = await functions.run({ name: "messages.sendMessage", args, userId: user.id });
    expect(run.milliseconds).toBeGreaterThan(0);
    expect((await api.messages.list()).page).toContainEqual(
      expect.objectContaining({ _id: resultOf(run), body: "Run", isMine: true }),
    );
  });

  test("is in the log with the administrator who ran it, and as whom", async () => {
    const { user } = await account({ isAdmin: false });
    const { requestId } = await functions.run({
      name: "messages.sendMessage",
      args: { author: "A", body: "b" },
      userId: user.id,
    });
    await flush();
    const { rows } = await pool.query(
      `SELECT "function", "lines"->0->>'text' AS text FROM "_calls" WHERE "requestId" = $1 ORDER BY "depth"`,
      [requestId],
    );
    expect(rows).toEqual([
      { function: "_kit.runAs", text: `Run by administrator ${admin.user.id} as ${user.id}` },
      { function: "messages.sendMessage", text: null },
    ]);
  });

  test("as nobody", async () => {
    const run = await functions.run({ name: "files.list", userId: null });
    expect(resultOf(run)).toMatchObject({ code: "UNAUTHORIZED (401)" });
  });

  test("an internal query and an action", async () => {
    await functions.run({ name: "messages.sendOne", args: { author: "Bob", body: "b" }, userId: null });
    const listed = await functions.run({ name: "messages.listByAuthor", args: { author: "Bob" }, userId: null });
    expect(resultOf(listed)).toMatchObject([{ body: "Sent via HTTP action: b" }]);
    expect(resultOf(await functions.run({ name: "_kit.upkeep", userId: null }))).toMatchObject({
      collect: { reportOnly: false },
    });
  });

  test("wrong arguments, the field is named", async () => {
    const run = await functions.run({ name: "messages.sendMessage", args: { body: 1 }, userId: null });
    expect(resultOf(run)).toMatchObject({ code: "BAD_REQUEST (400)", message: expect.stringContaining("body") });
  });

  test("an unknown function or user, NOT_FOUND", async () => {
    await expect(functions.run({ name: "messages.nothing", userId: null })).rejects.toThrow("There is no function");
    await expect(functions.run({ name: "messages.list", userId: "x" })).rejects.toThrow('There is no user "x"');
  });
});

describe("request", () => {
  test("an HTTP action answers with status, headers and body", async () => {
    const body = JSON.stringify({ author: "Eve", body: "<i>" });
    const sent = await functions.request({ method: "POST", path: "/postMessage", body, userId: null });
    expect(resultOf(sent)).toMatchObject({ status: 200 });
    const got = await functions.request({ method: "GET", path: "/getAuthorMessages/Eve", userId: null });
    expect(resultOf(got)).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json" },
      body: expect.stringContaining("Sent via HTTP action: <i>"),
    });
  });

  test("as the owner of a private image", async () => {
    const { user, api } = await account({ isAdmin: false });
    const stored = await post(await api.files.generateUploadUrl(), "a", { "Content-Type": "image/png" });
    const { storageId }: { storageId: string } = await stored.json();
    const path = `/getPrivateImage?storageId=${storageId}`;
    expect(resultOf(await functions.request({ method: "GET", path, userId: null }))).toMatchObject({ status: 404 });
    expect(resultOf(await functions.request({ method: "GET", path, userId: user.id }))).toMatchObject({ status: 200 });
  });

  test.each(["a\r\nb: c", "ünï→", "a\0"])(
    "with the content type %j, which is no header, names the field",
    async (contentType) => {
      const call = functions.request({ method: "POST", path: "/postMessage", contentType, body: "{}", userId: null });
      await expect(call).rejects.toMatchObject({
        code: "BAD_REQUEST",
        message: expect.stringContaining("contentType"),
      });
    },
  );

  test("a path without a route, NOT_FOUND", async () => {
    await expect(functions.request({ method: "GET", path: "/nothing", userId: null })).rejects.toThrow(
      'There is no route GET "/nothing"',
    );
  });
});
