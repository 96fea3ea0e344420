import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { pool } from "~/kit/database/database";
import { query } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter } from "~/kit/functions/router";
import { flush, idAt, pruneCalls } from "~/kit/log/function-log";
import { type CallFilter, callStats, linesOfRequest, listCalls } from "~/kit/log/read-function-log";
import { env } from "~/kit/process/env";
import { limits } from "~/kit/process/limits";
import { eventually } from "../eventually";

const answer = query({ handler: () => 42 });
const call = () => actionCtx(createSystemContext()).runQuery(answer);
const count = async () => (await pool.query('SELECT count(*)::int FROM "_calls"')).rows[0].count;

beforeEach(async () => {
  await flush();
  await pool.query('TRUNCATE "_calls", "_call_counts"');
});
const { logBytesPerMinute } = limits;
afterEach(() => {
  vi.restoreAllMocks();
  limits.logBytesPerMinute = logBytesPerMinute;
  Object.assign(env, { CALL_LOG_ROWS: 1_000_000, CALL_LOG_DAYS: 7, CALL_LOG_BYTES: 1024 ** 3 });
});

const minute = 60_000;
/** A whole hour in the recent past. */
const hour = Math.floor(Date.now() / 3_600_000 - 2) * 3_600_000;

interface Row {
  at: number;
  function?: string;
  outcome?: string;
  requestId?: string;
  printed?: string;
  error?: string;
}

/** Calls that ended then. */
async function insert(rows: Row[]) {
  for (const [index, row] of rows.entries()) {
    const lines = row.printed === undefined ? null : [{ time: row.at, level: "info", text: row.printed }];
    const id = `${idAt(row.at).slice(0, -8)}${index.toString(16).padStart(8, "0")}`;
    const { requestId = "r", outcome = "ok", function: name = "f" } = row;
    await pool.query(`INSERT INTO "_calls" VALUES ($1, to_timestamp($2 / 1000.0), $3, $4, 'query', 0, $5, 1, $6, $7)`, [
      id,
      row.at,
      requestId,
      name,
      outcome,
      JSON.stringify(lines) === "null" ? null : JSON.stringify(lines),
      row.error,
    ]);
  }
}

describe("calls are written", () => {
  test("by themselves, together, a moment later", async () => {
    const written = vi.spyOn(pool, "query");
    await Promise.all(Array.from({ length: 50 }, call));
    expect(written).not.toHaveBeenCalled();
    await eventually(() => expect(written).toHaveBeenCalledOnce());
    await flush();
    expect(await count()).toBe(50);
  });

  test("a moment later too where hosts stop the process with the answer, when no request asked", async () => {
    vi.stubEnv("VERCEL", "1");
    await call();
    vi.unstubAllEnvs();
    await eventually(async () => expect(await count()).toBe(1));
  });

  test("not at all where the log is off", async () => {
    Object.assign(env, { CALL_LOG_ROWS: 0 });
    await call();
    await flush();
    expect(await count()).toBe(0);
  });

  test("once, though the answer to writing them was lost", async () => {
    const written = pool.query.bind(pool);
    vi.spyOn(console, "error").mockReturnValue();
    vi.spyOn(pool, "query").mockImplementationOnce(async (...args: unknown[]) => {
      await Reflect.apply(written, pool, args);
      throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    });
    await call();
    await flush();
    await flush();
    expect(await count()).toBe(1);
    const [stats] = await callStats({ from: Date.now() - 5 * minute, to: Date.now() + minute, buckets: 1 });
    expect(stats?.calls).toBe(1);
  });
});

describe("when the log cannot be written", () => {
  const breakLog = () => pool.query('ALTER TABLE "_calls" RENAME TO "_calls_away"');
  const mendLog = () => pool.query('ALTER TABLE "_calls_away" RENAME TO "_calls"');

  test("calls succeed, and are written when it can be", async () => {
    const complaint = vi.spyOn(console, "error").mockReturnValue();
    await breakLog();
    for (let round = 0; round < 3; round++) {
      expect(await call()).toBe(42);
      await flush();
    }
    expect(complaint).toHaveBeenCalledOnce();
    await mendLog();
    await flush();
    expect(await count()).toBe(3);
  });

  test("the oldest are dropped when too many wait, and counted", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const warning = vi.spyOn(console, "warn").mockReturnValue();
    await breakLog();
    limits.logBytesPerMinute = Number.POSITIVE_INFINITY;
    const huge = query({ handler: () => Promise.reject(new Error("x".repeat(20_000))) });
    for (let round = 0; round < 2_000; round++)
      await actionCtx(createSystemContext())
        .runQuery(huge)
        .catch(() => undefined);
    await call();
    await mendLog();
    await flush();
    const kept = await count();
    expect(kept).toBeGreaterThan(1_000);
    expect(kept).toBeLessThan(1_700);
    expect(warning).toHaveBeenCalledWith(`The function log lacks ${2_001 - kept} calls that could not be written`);
    expect((await listCalls({ limit: 1 })).calls[0]?.outcome).toBe("ok");
  });

  test("a batch that PostgreSQL will never take is let go", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    vi.spyOn(console, "warn").mockReturnValue();
    createRouter({ "not\0text": { answer } });
    await call();
    await flush();
    createRouter({ test: { answer } });
    await call();
    await flush();
    expect(await count()).toBe(1);
  });
});

test("of a minute with too much text, further calls are counted without theirs", async () => {
  limits.logBytesPerMinute = 0;
  const loud = query({
    handler: () => {
      console.info("said");
      throw new Error("thrown");
    },
  });
  await expect(actionCtx(createSystemContext()).runQuery(loud)).rejects.toThrow("thrown");
  await flush();
  const { rows } = await pool.query('SELECT "outcome", "lines", "error" FROM "_calls"');
  expect(rows).toEqual([{ outcome: "INTERNAL_SERVER_ERROR", lines: null, error: null }]);
});

describe("pruning", () => {
  test("forgets what is too old, and its counts", async () => {
    await insert([{ at: Date.now() - 8 * 86_400_000 }, { at: Date.now() - 6 * 86_400_000 }]);
    await pool.query(
      `INSERT INTO "_call_counts" VALUES ('f', now() - interval '8 days', 1, 1, 0), ('f', now(), 1, 1, 0)`,
    );
    expect(await pruneCalls()).toBe(1);
    expect(await count()).toBe(1);
    expect((await pool.query('SELECT FROM "_call_counts"')).rowCount).toBe(1);
  });

  test("keeps the newest of too many", async () => {
    Object.assign(env, { CALL_LOG_ROWS: 3 });
    await insert(Array.from({ length: 10 }, (_, index) => ({ at: hour + index, function: `f${index}` })));
    expect(await pruneCalls()).toBe(7);
    expect((await listCalls({ limit: 10 })).calls.map((call) => call.function)).toEqual(["f9", "f8", "f7"]);
  });

  test("keeps the newest of those that take too many bytes", async () => {
    Object.assign(env, { CALL_LOG_BYTES: 4_000 });
    const printed = Array.from({ length: 1_000 }, () => Math.random().toString(36))
      .join("")
      .slice(0, 1_000);
    await insert(Array.from({ length: 10 }, (_, index) => ({ at: hour + index, function: `f${index}`, printed })));
    await pruneCalls();
    const kept = (await listCalls({ limit: 10 })).calls.map((call) => call.function);
    expect(kept).toEqual(["f9", "f8", "f7", "f6", "f5"].slice(0, kept.length));
    expect(kept.length).toBeGreaterThan(1);
  });

  test("goes on until all of them are gone, some at a time", async () => {
    Object.assign(env, { CALL_LOG_ROWS: 1 });
    await pool.query(
      `INSERT INTO "_calls" SELECT gen_random_uuid(), now(), 'r', 'f', 'query', 0, 'ok', 1 FROM generate_series(1, 25000)`,
    );
    expect(await pruneCalls()).toBe(24_999);
  });
});

describe("counts older than a day", () => {
  test("are counted by the hour", async () => {
    const old = hour - 48 * 60 * minute;
    await pool.query(
      `INSERT INTO "_call_counts" SELECT 'f', to_timestamp($1 / 1000.0) + make_interval(mins => n), 4, n, 1 FROM generate_series(0, 119) AS n
       UNION ALL SELECT 'f', to_timestamp($2 / 1000.0) + make_interval(mins => n), 4, n, 1 FROM generate_series(0, 59) AS n`,
      [old, hour],
    );
    const total = () => callStats({ function: "f", from: old, to: old + 120 * minute, buckets: 2 });
    const before = await total();
    await pruneCalls();
    expect(await total()).toEqual(before);
    await pruneCalls();
    expect(await total()).toEqual(before);
    expect((await pool.query('SELECT FROM "_call_counts"')).rowCount).toBe(2 + 60);
  });
});

describe("listCalls", () => {
  const rows: Row[] = [
    { at: hour, function: "a" },
    { at: hour + 1, function: "b", outcome: "NOT_FOUND", error: "There is no 100% such_thing" },
    { at: hour + 2, function: "a", requestId: "other", printed: 'said "Hello" \\ <b>there</b>' },
    { at: hour + 3, function: "a", outcome: "FORBIDDEN", error: "Not you" },
    { at: hour + 4, function: "b", printed: "hello again" },
  ];
  const times = async (filter: CallFilter) =>
    (await listCalls({ ...filter, limit: 10 })).calls.map(({ time }) => time - hour);

  beforeEach(() => insert(rows));

  test.each<[string, CallFilter, number[]]>([
    ["all, the newest first", {}, [4, 3, 2, 1, 0]],
    ["of a function", { function: "a" }, [3, 2, 0]],
    ["of one outcome", { outcome: "NOT_FOUND" }, [1]],
    ["that succeeded", { outcome: "ok" }, [4, 2, 0]],
    ["that failed", { outcome: "error" }, [3, 1]],
    ["of a function that failed", { function: "a", outcome: "error" }, [3]],
    ["of a function that succeeded", { function: "a", outcome: "ok" }, [2, 0]],
    ["of a request", { requestId: "other" }, [2]],
    ["that printed a text, in any case", { text: "HELLO" }, [4, 2]],
    ["that threw a text", { text: "not you" }, [3]],
    ["with quotes and tags", { text: '"Hello" \\ <b>' }, [2]],
    ["with what LIKE would take for a pattern", { text: "100% such_t" }, [1]],
    ["with a pattern that matches nothing as text", { text: "h_llo" }, []],
    ["that are not of the text's JSON", { text: "level" }, []],
    ["before a time", { before: hour + 2 }, [1, 0]],
    ["after a time", { after: hour + 3 }, [4, 3]],
    ["all of it together", { function: "b", outcome: "ok", text: "again", after: hour, before: hour + 9 }, [4]],
  ])("%s", async (_, filter, expected) => {
    expect(await times(filter)).toEqual(expected);
  });

  test("page by page, without a gap", async () => {
    const seen: number[] = [];
    let before: string | undefined;
    do {
      const { calls, nextCursor } = await listCalls({ before, limit: 2 });
      seen.push(...calls.map(({ time }) => time - hour));
      before = nextCursor ?? undefined;
    } while (before);
    expect(seen).toEqual([4, 3, 2, 1, 0]);
  });

  test("after an id: what is newer", async () => {
    const [, second] = (await listCalls({ limit: 2 })).calls;
    expect((await listCalls({ after: second?._id, limit: 5 })).calls).toHaveLength(1);
  });

  test("looks at so many calls a page, and says where to go on", async () => {
    await pool.query(
      `INSERT INTO "_calls" SELECT uuid, now(), 'r', 'f', 'query', 0, 'ok', 1, '[{"text":"noise"}]'
       FROM (SELECT ('ffffffff-ffff-7fff-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS uuid FROM generate_series(1, 5000) AS n) AS ids`,
    );
    const { calls, nextCursor } = await listCalls({ text: "hello", limit: 1 });
    expect(calls).toEqual([]);
    const next = await listCalls({ text: "hello", limit: 1, before: nextCursor ?? undefined });
    expect(next.calls).toHaveLength(1);
    const last = await listCalls({ text: "hello", limit: 1, before: next.nextCursor ?? undefined });
    expect([last.calls.length, last.nextCursor]).toEqual([1, null]);
  });

  test("lines of a request", async () => {
    expect(await linesOfRequest("other")).toMatchObject([{ time: hour + 2, function: "a", level: "info" }]);
    expect(await linesOfRequest("none")).toEqual([]);
  });
});

describe("callStats", () => {
  test("counts by the minute, of one function and of all", async () => {
    await pool.query(
      `INSERT INTO "_call_counts" SELECT name, to_timestamp($1 / 1000.0) + make_interval(mins => "minute"), "duration", "calls", "errors"
       FROM (VALUES ('f', 0, 0, 98, 1), ('f', 0, 8, 2, 2), ('f', 2, 40, 1, 0), ('g', 2, 12, 1, 0)) AS rows(name, "minute", "duration", "calls", "errors")`,
      [hour],
    );
    const stats = await callStats({ function: "f", from: hour, to: hour + 3 * minute, buckets: 3 });
    expect(stats).toEqual([
      { time: hour, calls: 100, errors: 3, p50: 1, p95: 1, p99: 4 },
      { time: hour + minute, calls: 0, errors: 0, p50: null, p95: null, p99: null },
      { time: hour + 2 * minute, calls: 1, errors: 0, p50: 1024, p95: 1024, p99: 1024 },
    ]);
    const [all] = await callStats({ function: "f", from: hour, to: hour + 3 * minute, buckets: 1 });
    expect(all).toEqual({ time: hour, calls: 101, errors: 3, p50: 1, p95: 1, p99: 4 });
  });

  test("counts what is called", async () => {
    const from = Date.now() - minute;
    const slow = query({ handler: () => setTimeout(20) });
    await Promise.all([call(), call(), actionCtx(createSystemContext()).runQuery(slow)]);
    await flush();
    const [stats] = await callStats({ from, to: from + 3 * minute, buckets: 1 });
    expect(stats).toMatchObject({ calls: 3, errors: 0 });
    expect(stats?.p99).toBeGreaterThan(15);
    expect(stats?.p50).toBeLessThan(15);
  });
});
