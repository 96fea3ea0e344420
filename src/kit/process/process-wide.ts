const scope = globalThis as typeof globalThis & { storageKit?: Record<string, unknown> };
scope.storageKit ??= {};
const held = scope.storageKit;

/**
 * Makes a thing once for the process. Classes too, where one part of the app throws what another asks `instanceof` of. A module-level constant is not enough: Next.js bundles App Router, `pages/api` and
 * instrumentation apart, and reloads modules in development.
 */
export function processWide<T>(name: string, create: () => T): T {
  if (!(name in held)) held[name] = create();
  return held[name] as T;
}
