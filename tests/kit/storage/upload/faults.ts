import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import pg from "pg";
import type { Random } from "../../crash/random";
import type { StandIn } from "../../stand-ins/stand-in";

// Lets calls of the database, of the disk and of a cloud store fail: before they had an effect, after it, or long before it.

/** What happens to a call: it fails and has no effect, it has its effect and fails, or it has its effect after it has failed. */
type Fault = "before" | "after" | "late";

const random = { current: null as Random | null };
let rate = 0;
let hasCrashed = false;
let trace: string[] = [];
const late: (() => Promise<unknown>)[] = [];

/** Runs `request`, whose calls fail at this rate. Pass a rate of 0 for calls that all work. */
export async function withFaults<T>(source: Random, probability: number, lines: string[], request: () => Promise<T>) {
  random.current = source;
  rate = probability;
  trace = lines;
  try {
    return await request();
  } finally {
    random.current = null;
    hasCrashed = false;
  }
}

/** Lets requests to a store that failed have their effect after all. */
export async function actLate(): Promise<void> {
  for (const act of late.splice(0)) await act();
}

function faultOf(call: string): Fault | null {
  const source = random.current;
  if (!source) return null;
  if (hasCrashed) return "before";
  if (!source.chance(rate)) return null;
  const fault = source.pick<Fault>(["before", "before", "after", "after", "late"]);
  // From here on nothing works any more, as if the process had ended.
  hasCrashed = source.chance(0.15);
  trace.push(`    ${call} fails, effect: ${fault}${hasCrashed ? ", and all that follow" : ""}`);
  return fault;
}

/** Lets requests to a stand-in of a cloud store fail. */
export function failRequests(standIn: StandIn, { withSilence }: { withSilence: boolean }): void {
  standIn.intercept = (request) => {
    const { method, url = "" } = request;
    const fault = faultOf(`${method} ${url.slice(0, 70)}`);
    if (!fault) return undefined;
    const instead = random.current?.pick<500 | 503 | "cut">([500, 503, "cut", "cut"]) ?? "cut";
    const isSilent = withSilence && !hasCrashed && random.current?.chance(0.03);
    const seen = isSilent ? "silence" : hasCrashed ? "cut" : instead;
    if (fault === "before") return seen;
    return { instead: seen, ...(fault === "late" && { later: (act) => void late.push(act) }) };
  };
}

/** Lets statements fail as if their connection had broken. */
export function failStatements(): void {
  const query = pg.Client.prototype.query as (this: pg.Client, ...args: unknown[]) => unknown;
  Reflect.set(pg.Client.prototype, "query", function (this: pg.Client, ...args: unknown[]) {
    const text = typeof args[0] === "string" ? args[0] : String((args[0] as { text?: string }).text);
    const fault = text.startsWith("NOTIFY") ? null : faultOf(text.replaceAll(/\s+/g, " ").slice(0, 90));
    if (!fault) return query.apply(this, args);
    const error = new Error("Connection terminated unexpectedly");
    const callback = args.at(-1);
    if (typeof callback === "function") {
      if (fault === "before") return void setImmediate(() => callback(error));
      return query.apply(this, [...args.slice(0, -1), () => callback(error)]);
    }
    const done = fault === "before" ? Promise.resolve() : (query.apply(this, args) as Promise<unknown>);
    return done.then(() => {
      throw error;
    });
  });
}

/** Lets operations on files below this folder, and on temporary files of parts, fail. */
export async function failDisk(folder: string): Promise<void> {
  const opened = new WeakSet<object>();
  const isOurs = (path: unknown) => String(path).startsWith(folder) || String(path).includes("upload-part-");
  const probe = await fs.open(process.execPath);
  const handles = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();

  function fail(owner: object, name: string, concerns: (self: object, args: unknown[]) => boolean): void {
    const original: (this: object, ...args: unknown[]) => Promise<unknown> = Reflect.get(owner, name);
    Reflect.set(owner, name, async function (this: object, ...args: unknown[]) {
      const fault = concerns(this, args) ? faultOf(`disk ${name}`) : null;
      const code = random.current?.pick(["EIO", "EIO", "ENOSPC"]) ?? "EIO";
      const error = Object.assign(new Error(`${code}: said the test`), { code });
      if (fault === "before") throw error;
      // A disk may have written a part of the bytes when it fails.
      const half = fault && name === "writev" ? [halfOf(args[0] as Uint8Array[]), args[1]] : args;
      const result = await original.apply(this, half);
      if (name === "open" && concerns(this, args)) opened.add(result as object);
      if (!fault) return result;
      if (name === "open") await (result as FileHandle).close();
      throw error;
    });
  }

  for (const name of ["open", "rename", "rm", "mkdir", "stat"]) fail(fs, name, (_, [path]) => isOurs(path));
  const ofHandles = ["writev", "writeFile", "read", "sync", "datasync", "truncate", "stat"];
  for (const name of ofHandles) fail(handles, name, (self) => opened.has(self));
  syncBuiltinESMExports();
}

function halfOf(chunks: Uint8Array[]): Uint8Array[] {
  const [first = new Uint8Array()] = chunks;
  return [first.subarray(0, Math.ceil(first.byteLength / 2))];
}
