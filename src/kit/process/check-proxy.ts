import { readFile } from "node:fs/promises";
import { join } from "node:path";

interface Matcher {
  regexp: string;
  originalSource: string;
}

/** Where bodies are that must arrive whole, of any size. */
const bodies = ["/api/storage/upload", "/http/sendImage"];

/** Requests that a proxy may well match. */
const advice = "/((?!api/storage|http|_next/static).*)";

/**
 * Refuses the start when the app's `src/proxy.ts` takes requests that carry files. Next.js passes on the first 10 MiB of
 * such a body only, as if it were whole, and where the length was not announced nobody can tell.
 *
 * @param folder of the build
 */
export async function checkProxy(folder = join(process.cwd(), ".next", "server")): Promise<void> {
  const text = await readFile(join(folder, "functions-config-manifest.json"), "utf8").catch(() => "{}");
  const { functions = {} }: { functions?: Record<string, { matchers?: Matcher[] }> } = JSON.parse(text);
  const matchers = functions["/_middleware"]?.matchers ?? [];
  const found = matchers.find(({ regexp }) => bodies.some((path) => new RegExp(regexp).test(path)));
  if (!found) return;
  throw new Error(
    `The matcher "${found.originalSource}" in src/proxy.ts takes requests that carry files, of which Next.js passes on the ` +
      `first 10 MiB as if they were whole. Write another, and build again: export const config = { matcher: ["${advice}"] };`,
  );
}
