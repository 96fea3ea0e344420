import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkProxy } from "~/kit/process/check-settings";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-"));
  await mkdir(join(folder, "server"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Matcher {
  regexp: string;
  originalSource: string;
}

/** The format in which Next.js 16.4.6 writes a proxy or middleware, by the runtime that it has. */
async function built(runtime: "nodejs" | "edge" | "none", matcher: Matcher): Promise<void> {
  const matchers = [matcher];
  const manifests = {
    "functions-config-manifest": {
      version: 1,
      functions: runtime === "nodejs" ? { "/_middleware": { runtime, matchers } } : {},
    },
    "middleware-manifest": {
      version: 3,
      middleware: runtime === "edge" ? { "/": { files: [], name: "middleware", page: "/", matchers } } : {},
      functions: {},
    },
  };
  for (const [name, manifest] of Object.entries(manifests))
    await writeFile(join(folder, "server", `${name}.json`), JSON.stringify(manifest));
}

const matcherOf = (originalSource: string): Matcher => ({
  regexp: String.raw`^(?:\/(_next\/data\/[^/]{1,}))?(?:\/${originalSource.slice(1)})(\.json|\.rsc|\.segments\/.+\.segment\.rsc)?[\/#\?]?$`,
  originalSource,
});

test.each(["nodejs", "edge"] as const)(
  "the start is refused when a proxy on the runtime %s takes requests that carry files, with the matcher to write",
  async (runtime) => {
    await built(runtime, matcherOf("/((?!_next).*)"));
    await expect(checkProxy(folder)).rejects.toThrow("/((?!api/storage|http|_next/static).*)");
    await built(runtime, { regexp: "^/.*$", originalSource: "/:path*" });
    await expect(checkProxy(folder)).rejects.toThrow('The matcher "/:path*"');
  },
);

test("a proxy that leaves them alone, and an app without one, start", async () => {
  for (const runtime of ["nodejs", "edge", "none"] as const) {
    await built(runtime, matcherOf("/((?!api/storage|http|_next/static).*)"));
    await checkProxy(folder);
  }
  await checkProxy(join(folder, "nothing"));
});
