import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAffected } from "~/kit/client/live-queries";
import { pool, prisma } from "~/kit/database/database";
import { query } from "~/kit/functions/builders";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { changesSince } from "~/kit/live/change-log";
import { liveBy, liveByState, nameForTabs, readsHeader, tablesRead } from "~/kit/live/reads";
import { watchModels } from "~/kit/live/watched";
import { processWide } from "~/kit/process/process-wide";
import { eventually } from "../eventually";

const column = async () => {
  const [row] = await prisma.$queryRaw<
    { name: string | null }[]
  >`SELECT "watched_column"('messages'::regclass) AS name`;
  return row?.name;
};

liveBy.set("messages", "owner");
liveByState.isKnown = true;
beforeAll(watchModels);

afterAll(() => liveBy.clear());

const read = (args: object) =>
  [...tablesRead("message", [[args]])].filter((name) => name.startsWith("messages")).sort();
const [ann = ""] = read({ where: { owner: "ann" } });
const [bob = ""] = read({ where: { owner: "bob" } });

const insert = (...owners: (string | null)[]) =>
  prisma.message.createMany({
    data: owners.map((owner) => ({ author: "a", owner, body: "b", format: "text" as const })),
  });

describe("a query", () => {
  test("limited to a value of the column reads that value, whose name says nothing", () => {
    expect(ann).toMatch(/^messages:[\w-]{8}\.[\w-]{16}$/);
    expect(bob).not.toBe(ann);
  });

  test.each<[string, object, string[]]>([
    ["equals", { where: { owner: { equals: "ann" } } }, [ann]],
    ["more conditions", { where: { author: "x", owner: "ann" }, take: 3, orderBy: { id: "desc" } }, [ann]],
    ["AND", { where: { AND: [{ author: "x" }, { owner: "ann" }] } }, [ann]],
    ["in", { where: { owner: { in: ["ann", "bob"] } } }, [ann, bob].sort()],
    ["no condition", {}, ["messages"]],
    ["another condition", { where: { author: "ann" } }, ["messages"]],
    ["null", { where: { owner: null } }, ["messages"]],
    ["OR", { where: { OR: [{ owner: "ann" }, { author: "x" }] } }, ["messages"]],
    ["NOT", { where: { NOT: { owner: "ann" } } }, ["messages"]],
    ["not", { where: { owner: { not: "ann" } } }, ["messages"]],
    ["a beginning", { where: { owner: { startsWith: "ann" } } }, ["messages"]],
    ["either case", { where: { owner: { equals: "ann", mode: "insensitive" } } }, ["messages"]],
    ["a cursor", { where: { owner: "ann" }, cursor: { id: "x" } }, ["messages"]],
    ["a long list", { where: { owner: { in: Array.from({ length: 50 }, (_, n) => `${n}`) } } }, ["messages"]],
  ])("with %s", (_, args, expected) => expect(read(args)).toEqual(expected));

  test("by a UUID reads its rows, however the UUID is written", () => {
    liveBy.set("messages", "storageId");
    const id = "0190a6ee-29e0-7b5a-9a3c-0c1d2e3f4a5b";
    const [name = ""] = read({ where: { storageId: id } });
    for (const same of [id.toUpperCase(), id.replaceAll("-", ""), `{${id}}`])
      expect(read({ where: { storageId: same } })).toContain(name);
    liveBy.set("messages", "owner");
  });

  test("says so in its answer", async () => {
    const mine = query({ handler: (ctx) => ctx.db.message.findMany({ where: { owner: "ann" } }) });
    const response = await serveRouter(createRouter({ mine: { mine } }))(
      new Request("http://app.test/api/trpc/mine.mine"),
    );
    expect([...new URLSearchParams(response.headers.get(readsHeader) ?? "")]).toEqual([["mine.mine", ann]]);
  });
});

describe("a change", () => {
  /** The names that a tab receives for a change, if it knows values or does not. */
  async function told(byValue: boolean, change: () => Promise<unknown>): Promise<string[]> {
    const end = new AbortController();
    const changes = changesSince(null, end.signal, byValue);
    await changes.next();
    const names = new Set<string>();
    const listening = (async () => {
      for await (const next of changes) for (const name of next?.tables ?? []) names.add(name);
    })();
    await change();
    await pool.query("TRUNCATE images");
    await eventually(() => expect([...names]).toContain("images"));
    end.abort();
    await listening;
    return [...names].filter((name) => name !== "images").sort();
  }

  test.each<[string, () => Promise<unknown>, string[]]>([
    ["of an insert names its value", () => insert("ann"), [ann]],
    ["of several rows names each", () => insert("ann", "bob", "ann"), [ann, bob].sort()],
    [
      "of an update names the values before and after",
      () => prisma.message.updateMany({ where: { owner: "ann" }, data: { owner: "bob" } }),
      [ann, bob].sort(),
    ],
    ["of a delete names its value", () => prisma.message.deleteMany({ where: { owner: "bob" } }), [bob]],
    ["of rows without a value names none", () => insert(null), [ann.replace(/\.[^.]*$/, ".")]],
    ["of no row is not told", () => prisma.message.deleteMany({ where: { owner: "nobody" } }), []],
    [
      "of many values is one of the table",
      () => insert(...Array.from({ length: 101 }, (_, n) => `${n}`)),
      ["messages"],
    ],
    ["of the whole table is one of the table", () => pool.query("TRUNCATE messages"), ["messages"]],
  ])("%s", async (_, change, expected) => expect(await told(true, change)).toEqual(expected));

  test("is one of the table for a tab that was open before the update", async () => {
    expect(await told(false, () => insert("ann"))).toEqual(["messages"]);
  });

  test.each<[string[], string, boolean]>([
    [["messages:scope123.x"], "messages:scope123.x", true],
    [["messages:scope123.x"], "messages:scope123.y", false],
    [["messages:scope123.x"], "messages", true],
    [["messages"], "messages:scope123.x", true],
    [["messages"], "messages:scope123.", true],
    [["messages:scope123.x"], "messages:scope123.", false],
    [["files"], "messages", false],
    [["messages2:scope123.x"], "messages", false],
    [["messages2:scope123.x"], "messages:scope456.x", false],
    // Named by a process with another secret, or by another column: which values are the same is unknown.
    [["messages:scope456.x"], "messages:scope123.y", true],
    [["messages:scope456.x", "messages:scope123.x"], "messages:scope123.y", true],
    // Tables whose names have a colon.
    [["a:b"], "a:b", true],
    [["a"], "a:b", false],
    [["a:b:scope123.x"], "a:b:scope123.y", false],
  ])("of %j read, %j changed: affected %j", (read, change, expected) => {
    expect(isAffected(new Set(read), change)).toBe(expected);
  });
});

describe("processes that name changes differently", () => {
  /** Runs `work` like a process with another secret. */
  async function withAnotherSecret<T>(work: () => T): Promise<T> {
    const key = processWide<Buffer>("key of live names", () => Buffer.alloc(32));
    const own = Buffer.from(key);
    key.fill(7);
    const result = await work();
    own.copy(key);
    return result;
  }

  test("a tab whose queries one answers and whose stream another sends misses nothing while secrets are replaced", async () => {
    const [elsewhere = ""] = await withAnotherSecret(() => read({ where: { owner: "ann" } }));
    expect(elsewhere).not.toBe(ann);
    expect(isAffected(new Set([elsewhere]), ann)).toBe(true);
    expect(isAffected(new Set([ann]), elsewhere)).toBe(true);
  });

  test("a tab misses nothing while a new version replaces one with another column", async () => {
    liveBy.set("messages", "author");
    const [byAuthor = ""] = read({ where: { author: "ann" } });
    liveBy.set("messages", "owner");
    expect(isAffected(new Set([byAuthor]), ann)).toBe(true);
  });

  test("a note of a version that named no column counts as a change of the table", () => {
    expect(nameForTabs("messages:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")).toBe("messages");
    expect(nameForTabs("messages:")).toBe("messages");
  });
});

test("1,000 tabs, each on its own list: a write makes one of them ask again instead of all, and none misses one", async () => {
  const tabs = Array.from({ length: 1_000 }, (_, n) => ({
    reads: new Set(read({ where: { owner: `tab ${n}` } })),
    asked: 0,
  }));
  const end = new AbortController();
  const changes = changesSince(null, end.signal, true);
  await changes.next();
  let askedByAll = 0;
  const listening = (async () => {
    for await (const next of changes) {
      if (next?.tables?.some((change) => isAffected(new Set(["messages"]), change))) askedByAll += tabs.length;
      for (const tab of tabs) if (next?.tables?.some((change) => isAffected(tab.reads, change))) tab.asked++;
    }
  })();
  const written = Array.from({ length: 100 }, (_, n) => (n * 37) % tabs.length);
  // One writer writes about 50 times a second.
  for (const n of written) await Promise.all([insert(`tab ${n}`), pause(20)]);
  await eventually(() => expect(written.filter((n) => tabs[n]?.asked === 0)).toEqual([]));
  end.abort();
  await listening;
  const asked = tabs.reduce((sum, tab) => sum + tab.asked, 0);
  expect(asked).toBeLessThanOrEqual(written.length);
  expect(asked * 20).toBeLessThan(askedByAll);
});

test("a column is watched as long as it is listed; one that cannot be is refused, and its table is live as a whole", async () => {
  expect(await column()).toBe("owner");
  liveBy.set("messages", "format");
  await expect(watchModels()).rejects.toThrow('messages has no column "format" that is a text');
  liveBy.delete("messages");
  await watchModels();
  expect(await column()).toBeNull();
  expect(nameForTabs("messages")).toBe("messages");
});
