import { type AnyFunction, definition } from "./server-function";

/** The exports of one file of functions. */
export type Module = Record<string, unknown>;

const byName = new Map<string, AnyFunction>();
const names = new Map<unknown, string>();

/** Makes the functions of a file known as `<file>.<export>`, for the scheduler and the log. */
export function register(file: string, module: Module): void {
  for (const [name, exported] of Object.entries(module)) {
    if (!isFunction(exported)) continue;
    byName.set(`${file}.${name}`, exported);
    names.set(exported[definition], `${file}.${name}`);
  }
}

/** The function of that name, or `null`. */
export const functionNamed = (name: string): AnyFunction | null => byName.get(name) ?? null;

/** The name that a function is known by, or `null` when no file that functions/index.ts lists exports it. */
export const nameOf = (fn: { [definition]: unknown }): string | null => names.get(fn[definition]) ?? null;

/** All names, with their functions. */
export const allFunctions = (): ReadonlyMap<string, AnyFunction> => byName;

function isFunction(exported: unknown): exported is AnyFunction {
  return (
    (typeof exported === "function" || typeof exported === "object") && exported !== null && definition in exported
  );
}
