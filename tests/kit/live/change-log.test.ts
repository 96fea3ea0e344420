import { afterEach, describe, expect, test } from "vitest";
import { pool } from "~/kit/database/database";
import { changesSince, currentPosition } from "~/kit/live/change-log";

const ends: AbortController[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
});

function follow(since: string | null) {
  const end = new AbortController();
  ends.push(end);
  const changes = changesSince(since, end.signal);
  return {
    end,
    next: async () => {
      const { value } = await changes.next();
      if (!value) throw new Error("The stream has ended");
      return value;
    },
    changes,
  };
}

const change = (table: string) => pool.query(`TRUNCATE ${table}`);

/** The position in the history after everything committed so far. */
async function now(): Promise<string> {
  const { next } = follow(null);
  await next();
  await change("_scheduled_functions");
  return (await next()).position;
}

describe("changesSince", () => {
  test("nothing known → any may have changed, then what does", async () => {
    const { next } = follow(null);
    expect(await next()).toMatchObject({ tables: null });
    await change("images");
    expect(await next()).toMatchObject({ tables: ["images"] });
  });

  test("a burst → told together", async () => {
    const { next } = follow(await now());
    await pool.query("TRUNCATE images; TRUNCATE files; TRUNCATE images");
    expect((await next()).tables?.toSorted()).toEqual(["files", "images"]);
  });

  test("the position that was reached → only what came after, as often as it is asked", async () => {
    const start = await now();
    const { next } = follow(start);
    await change("images");
    const { position } = await next();
    await change("files");
    expect(await next()).toMatchObject({ tables: ["files"] });
    expect(await follow(position).next()).toMatchObject({ tables: ["files"] });
    expect((await follow(start).next()).tables?.toSorted()).toEqual(["files", "images"]);
    expect(currentPosition()).toBe((await follow(start).next()).position);
  });

  test.each(["", "x", "another-process:1", "a:b:c"])("a position of another process, %j → any", async (position) => {
    expect(await follow(position).next()).toMatchObject({ tables: null });
  });

  test("a consumer that is slow → one event for all it missed", async () => {
    const start = await now();
    const [slow, fast] = [follow(start), follow(start)];
    for (let count = 0; count < 20; count += 1) {
      await change(count % 2 ? "images" : "files");
      await fast.next();
    }
    expect((await slow.next()).tables?.toSorted()).toEqual(["files", "images"]);
    expect(currentPosition()).toBe((await follow("x").next()).position);
  });

  test("a signal → the stream ends, waiting or not", async () => {
    const { end, changes } = follow(await now());
    const waiting = changes.next();
    end.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await changes.next()).toEqual({ done: true, value: undefined });
  });

  test("a lost connection to the database → any may have changed, and changes are heard again", async () => {
    const { next } = follow(await now());
    await pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND query LIKE '%"_changes_pruned"%' AND pid <> pg_backend_pid()`,
    );
    expect(await next()).toMatchObject({ tables: null });
    await change("images");
    expect(await next()).toMatchObject({ tables: ["images"] });
  });
});
