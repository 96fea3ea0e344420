import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { anySignal } from "~/kit/client/any-signal";

/**
 * Functions that TypeScript's libraries know, but that are missing in browsers which Next.js 16 supports (Chrome, Edge and
 * Firefox 111, Safari 16.4). A page that calls one of them stops working without a message. Next.js adds no polyfills for
 * them.
 */
const missing = [
  /\bAbortSignal\.any\b/,
  /\bArray\.fromAsync\b/,
  /\bPromise\.(withResolvers|try)\b/,
  /\b(Object|Map)\.groupBy\b/,
  /\bURL\.(canParse|parse)\b/,
  /\.(toSorted|toReversed|toSpliced|isWellFormed|toWellFormed)\(/,
  /\.(union|intersection|difference|symmetricDifference|isSubsetOf|isSupersetOf|isDisjointFrom)\(/,
  /\bnew Intl\.(DurationFormat|Segmenter)\b/,
  /\bIterator\.from\b/,
  /\bfor await \(.* of .*(body|stream)\b/,
];

const root = process.cwd();
async function browserFiles(): Promise<string[]> {
  const folders = ["src/kit/client", "src/kit/dashboard/pages", "src/components", "src/app"];
  const all = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name)),
    ),
  );
  return all.flat();
}

test("pages call nothing that the oldest supported browsers lack", async () => {
  const files = await browserFiles();
  expect(files.length).toBeGreaterThan(20);
  const calls: string[] = [];
  for (const file of files) {
    const code = (await readFile(file, "utf8")).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    for (const api of missing) if (api.test(code)) calls.push(`${file.slice(root.length + 1)}: ${api.source}`);
  }
  expect(calls).toEqual([]);
});

describe("anySignal", () => {
  test("is aborted with the first of its signals, for its reason", () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const signal = anySignal(one.signal, null, undefined, two.signal);
    expect(signal.aborted).toBe(false);
    two.abort("second");
    one.abort("first");
    expect([signal.aborted, signal.reason]).toEqual([true, "second"]);
  });

  test("of one that is aborted already is aborted", () => {
    expect(anySignal(AbortSignal.abort("early"), new AbortController().signal).reason).toBe("early");
  });
});
