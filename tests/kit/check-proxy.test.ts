import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkProxy } from "~/kit/process/check-settings";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "proxy-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The format in which Next.js 16.4.6 writes it. */
const built = (regexp: string, originalSource: string) =>
  writeFile(
    join(folder, "functions-config-manifest.json"),
    JSON.stringify({
      version: 1,
      functions: { "/_middleware": { runtime: "nodejs", matchers: [{ regexp, originalSource }] } },
    }),
  );
const tail = String.raw`(\.json|\.rsc|\.segments\/.+\.segment\.rsc)?[\/#\?]?$`;

test("the start is refused when a proxy takes requests that carry files, with the matcher to write", async () => {
  await built(String.raw`^(?:\/(_next\/data\/[^/]{1,}))?(?:\/((?!_next).*))${tail}`, "/((?!_next).*)");
  await expect(checkProxy(folder)).rejects.toThrow("/((?!api/storage|http|_next/static).*)");
});

test("a proxy that leaves them alone, and an app without one, start", async () => {
  await built(
    String.raw`^(?:\/(_next\/data\/[^/]{1,}))?(?:\/((?!api\/storage|http|_next\/static).*))${tail}`,
    "/((?!api/storage|http|_next/static).*)",
  );
  await checkProxy(folder);
  await writeFile(join(folder, "functions-config-manifest.json"), JSON.stringify({ version: 1, functions: {} }));
  await checkProxy(folder);
  await checkProxy(join(folder, "nothing"));
});
