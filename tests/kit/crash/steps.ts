import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import pg from "pg";

/** Called before and after each step. An error that it throws before a step makes the step fail. */
type Reached = (step: string, moment: "before" | "after") => void;

/**
 * Watches every call by which this process changes what outlives it: writes to the disk, as `disk rename`, and statements
 * that write to the database, as `sql INSERT _storage`.
 */
export async function interceptSteps(reached: Reached): Promise<void> {
  const handle = await fs.open(process.execPath);
  const handles = Object.getPrototypeOf(handle);
  await handle.close();
  const created = new WeakSet<object>();

  intercept(fs, "open", reached, (_, [, flags]) => (flags === "wx" ? "disk create" : null), created);
  intercept(fs, "rename", reached, () => "disk rename");
  intercept(fs, "rm", reached, (_, [path]) => (`${path}`.includes("partial") ? "disk rm partial" : "disk rm blob"));
  intercept(handles, "writev", reached, () => "disk write");
  intercept(handles, "sync", reached, (file) => (created.has(file) ? "disk sync file" : "disk sync folder"));
  syncBuiltinESMExports();

  intercept(pg.Client.prototype, "query", reached, (_, [query]) => sqlStep(query));
}

function intercept(
  owner: object,
  method: string,
  reached: Reached,
  stepOf: (self: object, args: unknown[]) => string | null,
  results?: WeakSet<object>,
): void {
  const original: (this: object, ...args: unknown[]) => unknown = Reflect.get(owner, method);
  Reflect.set(owner, method, function (this: object, ...args: unknown[]) {
    const step = stepOf(this, args);
    if (!step) return original.apply(this, args);
    const callback = args.at(-1);
    if (typeof callback === "function") {
      reached(step, "before");
      args[args.length - 1] = (...outcome: unknown[]) => {
        reached(step, "after");
        callback(...outcome);
      };
      return original.apply(this, args);
    }
    const call = async () => {
      reached(step, "before");
      const result = await original.apply(this, args);
      if (typeof result === "object" && result !== null) results?.add(result);
      reached(step, "after");
      return result;
    };
    return call();
  });
}

/** `null` for a statement that only reads. */
function sqlStep(query: unknown): string | null {
  const text = typeof query === "string" ? query : `${(query as { text?: string }).text}`;
  if (text === "COMMIT") return "sql COMMIT";
  const write = /\b(INSERT|UPDATE|DELETE)(?: INTO| FROM)? (?:"public"\.)?"(\w+)"(?:\s+SET "state" = ('\w+'))?/g;
  const writes = [...text.matchAll(write)].map((match) => match.slice(1).filter(Boolean).join(" "));
  return writes.length > 0 ? `sql ${writes.join(", ")}` : null;
}
