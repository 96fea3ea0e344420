import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cell } from "~/kit/dashboard/data";
import { tableNamed } from "~/kit/dashboard/tables";
import { prisma } from "~/kit/database/database";
import { models } from "~/kit/live/reads";
import { api, uploadFile } from "../caller";
import { account } from "./administrator";

let data: Awaited<ReturnType<typeof account>>["api"]["dashboard"]["data"];

beforeAll(async () => {
  data = (await account({ isAdmin: true })).api.dashboard.data;
});

beforeEach(async () => {
  await prisma.message.deleteMany();
});

type Filter = NonNullable<Parameters<typeof data.rows>[0]["filters"]>[number];

/** The values of one column, over all pages. */
async function valuesOf(table: string, column: string, filters: Filter[] = [], limit = 2) {
  const values: (string | null | undefined)[] = [];
  for (let cursor: string | null = null; ; ) {
    const { columns, rows, nextCursor } = await data.rows({ table, filters, limit, cursor });
    const at = columns.findIndex(({ name }) => name === column);
    values.push(...rows.map(({ cells }) => cells[at]));
    cursor = nextCursor;
    if (cursor === null) return values;
  }
}

async function say(...bodies: string[]) {
  for (const body of bodies) await api.messages.sendMessage({ author: "Ada", body });
}

describe("tables", () => {
  test("are those of the schema, the app's first, with their rows", async () => {
    await say("a", "b");
    const tables = await data.tables();
    expect(tables.map(({ name }) => name).slice(0, 3)).toEqual(["files", "images", "messages"]);
    expect(tables.find(({ name }) => name === "messages")).toEqual({ name: "messages", isKit: false, rows: 2 });
    expect(tables.find(({ name }) => name === "_storage")?.isKit).toBe(true);
    expect(tables.map(({ name }) => name)).not.toContain("_prisma_migrations");
  });

  test.each(["_prisma_migrations", "pg_authid", 'messages" CROSS JOIN pg_authid --', "Message", ""])(
    "%s, which is no table of the schema, cannot be read",
    async (table) => {
      await expect(data.rows({ table })).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(data.row({ table, key: ["a"] })).rejects.toMatchObject({ code: "NOT_FOUND" });
    },
  );
});

describe("rows", () => {
  test("come page by page, the newest first", async () => {
    await say("a", "b", "c", "d", "e");
    expect(await valuesOf("messages", "body")).toEqual(["e", "d", "c", "b", "a"]);
  });

  test("of a table whose key has several columns come page by page", async () => {
    await prisma.jobKey.createMany({
      data: [1, 2, 3, 4, 5].map((n) => ({ name: `job ${n % 2}`, key: `k${n}`, jobId: randomUUID() })),
    });
    expect(await valuesOf("_job_keys", "key")).toEqual(["k5", "k3", "k1", "k4", "k2"]);
  });

  test("are found by filters, which are values and never SQL", async () => {
    await say("a_1", "ab1", "100 %", `'; DROP TABLE messages; --`);
    const found = (operator: Filter["operator"], value = "", column = "body") =>
      valuesOf("messages", "body", [{ column, operator, value }]);
    expect(await found("is", "a_1")).toEqual(["a_1"]);
    expect(await found("contains", "A_")).toEqual(["a_1"]);
    expect(await found("contains", "%")).toEqual(["100 %"]);
    expect(await found("is", `'; DROP TABLE messages; --`)).toHaveLength(1);
    expect(await found("isEmpty", "", "storageId")).toHaveLength(4);
    expect(await found("isNotEmpty", "", "storageId")).toEqual([]);
    expect(await found("atLeast", "2000-01-01T00:00:00Z", "_creationTime")).toHaveLength(4);
    expect(await found("atMost", "2000-01-01T00:00:00Z", "_creationTime")).toEqual([]);
    expect(await found("is", "text", "format")).toHaveLength(4);
    expect(await found("is", "Ada", "author")).toHaveLength(4);
    const [, second] = await prisma.message.findMany({ orderBy: { id: "asc" } });
    expect(await found("is", second?.id, "_id")).toEqual([second?.body]);
  });

  test.each<[Filter["operator"], string, string]>([
    ["is", "_id", "no id"],
    ["atLeast", "_creationTime", "yesterday-ish"],
    ["is", 'body" OR true --', "a"],
  ])("by %s of %s %s, BAD_REQUEST", async (operator, column, value) => {
    const filters = [{ column, operator, value }];
    await expect(data.rows({ table: "messages", filters })).rejects.toMatchObject({ code: "BAD_REQUEST" });
    expect(await valuesOf("messages", "body")).toEqual([]);
  });

  test.each(["x", "[]", '["a","b"]', '["no id"]', "{}"])("with the cursor %s, BAD_REQUEST", async (cursor) => {
    await expect(data.rows({ table: "messages", cursor })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("that no index finds are looked for in bounded steps, and all are found", async () => {
    await prisma.$executeRaw`INSERT INTO "messages" ("_id", "author", "body", "format")
      SELECT lpad(to_hex(n), 32, '0')::uuid, 'many', CASE WHEN n % 9000 = 1 THEN 'rare' ELSE 'common' END, 'text'
      FROM generate_series(1, 30000) AS n`;
    const rare: Filter = { column: "body", operator: "is", value: "rare" };
    const author = (value: string): Filter => ({ column: "author", operator: "is", value });
    expect(await valuesOf("messages", "body", [rare])).toHaveLength(4);
    // The index of the author finds too many.
    expect(await valuesOf("messages", "body", [author("many"), rare])).toHaveLength(4);
    expect(await valuesOf("messages", "body", [author("nobody"), rare])).toEqual([]);
  });
});

describe("a row", () => {
  test("has its whole texts, and names the columns that refer to it", async () => {
    await say("x".repeat(5_000));
    const { rows, columns } = await data.rows({ table: "messages" });
    const at = columns.findIndex(({ name }) => name === "body");
    expect(rows[0]?.cells[at]).toHaveLength(201);
    const found = await data.row({ table: "messages", key: rows[0]?.key ?? [] });
    expect(found?.row?.cells[at]).toHaveLength(5_000);
    expect(found?.referredBy).toEqual([]);
    const storageId = await uploadFile("a file", "image/png");
    const file = await data.row({ table: "_storage", key: [storageId] });
    expect(file?.referredBy).toContainEqual({ table: "messages", column: "storageId", ownColumn: "_id" });
    expect(file?.previews[storageId]).toMatchObject({ contentType: "image/png", thumbnailUrl: expect.any(String) });
  });

  test("that is gone is null", async () => {
    expect(await data.row({ table: "messages", key: [randomUUID()] })).toBeNull();
  });
});

test.each(["timestamp with time zone", "timestamp without time zone"])(
  "a time of the type %s is shown in UTC",
  async (type) => {
    const shown = cell({ name: "at", type, kind: "time", isHidden: false }, 10);
    const [row] = await prisma.$queryRawUnsafe<{ text: string }[]>(
      `SELECT ${shown} AS text FROM (SELECT '2026-01-02T03:04:05Z'::${type} AS at) AS row`,
    );
    expect(new Date(row?.text ?? "").toISOString()).toBe("2026-01-02T03:04:05.000Z");
  },
);

describe("secrets", () => {
  const secret = "a secret that nobody may see";

  test("are not shown, and nothing is found by them", async () => {
    const { user } = await account({ isAdmin: false });
    const times = { createdAt: new Date(), updatedAt: new Date() };
    await prisma.account.create({
      data: { id: "a", accountId: "a", providerId: "credential", userId: user.id, password: secret, ...times },
    });
    await prisma.session.create({ data: { id: "s", token: secret, userId: user.id, expiresAt: new Date(), ...times } });
    await prisma.verification.create({ data: { id: "v", identifier: secret, value: secret, expiresAt: new Date() } });
    await prisma.jwks.create({ data: { id: "j", publicKey: "public", privateKey: secret, createdAt: new Date() } });
    await prisma.scheduledFunction.create({ data: { name: "x", args: { secret }, scheduledTime: new Date() } });
    for (const [table, column] of [
      ["_accounts", "password"],
      ["_sessions", "token"],
      ["_verifications", "identifier"],
      ["_verifications", "value"],
      ["_jwks", "privateKey"],
      ["_scheduled_functions", "args"],
    ] as const) {
      const page = await data.rows({ table });
      expect(page.rows.length, table).toBeGreaterThan(0);
      const { row } = (await data.row({ table, key: page.rows[0]?.key ?? [] })) ?? {};
      expect(JSON.stringify([page, row])).not.toContain(secret);
      for (const operator of ["is", "contains", "atLeast", "atMost", "isEmpty"] as const) {
        const filters = [{ column, operator, value: secret.slice(0, 3) }];
        await expect(data.rows({ table, filters })).rejects.toMatchObject({ code: "BAD_REQUEST" });
      }
    }
  });

  test("are hidden in every column of the kit that holds one", async () => {
    const hidden: string[] = [];
    for (const [model, { dbName }] of Object.entries(models)) {
      const query = async <Row>(sql: string, values: unknown[] = []) =>
        (await prisma.$queryRawUnsafe(sql, ...values)) as Row[];
      const table = await tableNamed(query, dbName ?? model);
      hidden.push(...table.columns.flatMap(({ name, isHidden }) => (isHidden ? [`${table.name}.${name}`] : [])));
    }
    expect(hidden.sort()).toEqual([
      "_accounts.accessToken",
      "_accounts.idToken",
      "_accounts.password",
      "_accounts.refreshToken",
      "_jwks.privateKey",
      "_scheduled_functions.args",
      "_sessions.token",
      "_storage.blobKey",
      "_storage_variants.blobKey",
      "_unfinished_uploads.blobKey",
      "_unfinished_uploads.progress",
      "_unowned_blobs.blobKey",
      "_unowned_blobs.file",
      "_verifications.identifier",
      "_verifications.value",
    ]);
  });
});
