import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";
import { expect, test } from "vitest";
import { anchorsOf, blocks, linksOf, pages } from "./pages";

// What the pages name must exist: files, headings, commands, settings and endpoints.

const read = (path: string) => readFile(path, "utf8");

/** The files below a folder whose path ends with this text. */
const files = async (folder: string, end: string) =>
  (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(end)).map((name) => join(folder, name));

/** Returns what `find` matches in the pages, each with the page that has it. */
const mentions = (find: RegExp, isOf: (path: string) => boolean = () => true): [name: string, page: string][] =>
  pages
    .filter(({ path }) => isOf(path))
    .flatMap(({ path, text }) => [...text.matchAll(find)].map(([, name = ""]) => [name, path]));

const isAboutNow = (path: string) => !/^CHANGELOG|decisions\/|upgrading/.test(path);

test("every relative link leads to a file, and every anchor to a heading", () => {
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .filter(({ file, anchor }) => {
        const target = pages.find(({ path }) => path === file);
        return !existsSync(file) || (anchor !== "" && !(target && anchorsOf(target).includes(anchor)));
      })
      .map(({ file, anchor }) => `${page.path} → ${file}#${anchor}`),
  );
  expect(broken).toEqual([]);
});

test("every page of docs is reached from the README", () => {
  const reached = new Set(["README.md"]);
  for (const path of reached) {
    const page = pages.find((each) => each.path === path);
    for (const { file } of page ? linksOf(page) : []) reached.add(file);
  }
  const listed = (path: string) => [...reached].some((known) => path === known || path.startsWith(`${known}/`));
  expect(pages.map(({ path }) => path).filter((path) => path.startsWith("docs/") && !listed(path))).toEqual([]);
});

test("every npm command is a script of package.json", async () => {
  const { scripts } = JSON.parse(await read("package.json"));
  const named = mentions(/\bnpm run ([a-z][\w:-]*)/g, isAboutNow);
  expect(named.filter(([name]) => !(name in scripts))).toEqual([]);
  // The pages also mention every script.
  const documented = new Set([...named.map(([name]) => name), "preinstall", "test", "start"]);
  expect(Object.keys(scripts).filter((name) => !documented.has(name))).toEqual([]);
});

test("every option of an npm command is one that its script has", async () => {
  const { scripts } = JSON.parse(await read("package.json"));
  const used = mentions(/npm run ([\w:-]+ -- [^`\n#]*--[a-z-]+)/g);
  for (const [command, page] of used) {
    const [name = "", ...words] = command.split(/\s+/);
    const [, script = ""] = /^node (\S+)/.exec(scripts[name]) ?? [];
    const own = script === "" ? "" : await read(script);
    const others = [...own.matchAll(/runScript\("(.+?)"\)/g)].map(([, other = ""]) => read(join("scripts", other)));
    const source = [own, ...(await Promise.all(others))].join("\n");
    for (const option of words.filter((word) => /^--[a-z]/.test(word))) {
      expect(source, `${page}: ${command}`).toMatch(new RegExp(`\\b${option.slice(2)}"?: \\{ type`));
    }
  }
  expect(used.length).toBeGreaterThan(2);
});

test("every JSON block can be parsed", () => {
  const json = blocks.filter(({ language }) => language === "json");
  for (const { code, place } of json) expect(() => JSON.parse(code), place).not.toThrow();
  expect(json.length).toBeGreaterThan(0);
});

test("every block is in a language that a test knows, or shows a request", () => {
  const known = ["ts", "tsx", "prisma", "diff", "sh", "sql", "json", "http", "python", "nginx"];
  expect(blocks.filter(({ language }) => !known.includes(language)).map(({ place }) => place)).toEqual([]);
  const fences = pages.map(({ path, text }) => [path, text.match(/^ *```/gm)?.length ?? 0]);
  expect(pages.map((page) => [page.path, 2 * page.blocks.length])).toEqual(fences);
});

test("every shell block runs commands of the project, or says what else it needs", () => {
  const known =
    /^(npm (run|test|ci|install|start)\b|npx (vitest|playwright|prisma)\b|git |curl |tail |cmp |json\(\)|\w+=\$\(|export |#|$|\s)/;
  const unknown = blocks
    .filter(({ language, info }) => language === "sh" && !["host", "docker"].includes(info))
    .flatMap(({ code, place }) =>
      code
        .split("\n")
        .filter((line) => !known.test(line))
        .map((line) => `${place}: ${line}`),
    );
  expect(unknown).toEqual([]);
});

test("every file that a page names exists", () => {
  const places = /`((?:src|tests|scripts|prisma|docs|bench|\.github)\/[\w./[\]-]+\.(?:ts|tsx|mjs|md|prisma|sh|json))`/g;
  const made = new Set([...blocks.map(({ info }) => info), ...mentions(/^Create `(.+?)`/gm).map(([path]) => path)]);
  // That page names the files of other frameworks.
  const named = mentions(places, (path) => isAboutNow(path) && path !== "docs/coming-from.md");
  expect(named.filter(([path]) => !existsSync(path) && !made.has(path))).toEqual([]);
});

/** Names of environment variables that other programs read, and not the app. */
const foreign = /^(NODE_|NEXT_|VERCEL|AWS_|OTEL_|S3_SECRET$|CLAMD_)/;

test("every setting that a page names exists, and docs/settings.md names every setting", async () => {
  const sources = await Promise.all(["src/kit/process/env.ts", "src/kit/storage/blobs.ts"].map(read));
  const settings = sources.flatMap((source) =>
    [...source.matchAll(/^ +([A-Z][A-Z0-9_]+): (?!z\.literal)/gm)].map(([, name = ""]) => name),
  );
  const others = ["STORAGE_DRIVER", "MIGRATE_PREVIEWS", "KIT_TOKEN"];
  const existing = new Set([...settings, ...others].filter((name) => !foreign.test(name)));
  expect(existing.size).toBeGreaterThan(30);

  const named = mentions(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`/g, isAboutNow).filter(
    // Codes of errors are spelled like settings.
    ([name]) => !foreign.test(name) && !(name in TRPC_ERROR_CODES_BY_KEY),
  );
  expect(named.filter(([name]) => !existing.has(name))).toEqual([]);
  const examples = [...(await read(".env.example")).matchAll(/^# ([A-Z][A-Z0-9_]+)=/gm)].map(([, name = ""]) => name);
  expect(examples.filter((name) => !existing.has(name))).toEqual([]);
  const page = await read("docs/settings.md");
  expect([...existing].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("every endpoint that a page names exists", async () => {
  const routes = [
    ...(await files("src/app", "route.ts")).map((path) => path.replace(/^src\/app|\/route\.ts$/g, "")),
    ...(await files("src/pages/api", ".ts")).map((path) => path.replace(/^src\/pages|\.ts$/g, "")),
    ...(await files("src/app", "page.tsx")).map((path) => path.replace(/^src\/app|\/page\.tsx$/g, "") || "/"),
  ];
  const patterns = routes.map(
    (route) =>
      new RegExp(`^${route.replaceAll(/\/\[{1,2}\.{3}\w+\]{1,2}/g, "(/.*)?").replaceAll(/\[\w+\]/g, "[^/]+")}$`),
  );
  const named = mentions(
    /(?<![\w.*/])(\/(?:api|http|dashboard|sign-in)(?:\/[\w$<>….[\]-]+)*)(?=[`?"' )]|$)/gm,
    isAboutNow,
  );
  expect(named.length).toBeGreaterThan(20);
  expect(
    named.filter(
      ([path]) =>
        !patterns.some((pattern) => pattern.test(path)) && !/^\/(api|api\/trpc|http|sign-in\/email)$/.test(path),
    ),
  ).toEqual([]);
});

test("every HTTP action and function that a page's command calls exists", async () => {
  const http = [await read("src/functions/http.ts"), ...blocks.map(({ code }) => code)].join("\n");
  const actions = blocks.flatMap(({ code }) =>
    [...code.matchAll(/localhost:3000\/http(\/\w+)/g)].map(([, path = ""]) => path),
  );
  expect(actions.filter((path) => !http.includes(`path: "${path}"`))).toEqual([]);

  const calls = blocks.flatMap(({ code }) => [...code.matchAll(/\/api\/run\/(\w+)\/(\w+)|\brun\("(\w+)\/(\w+)"/g)]);
  for (const [file, name = ""] of calls.map((call) => call.slice(1).filter(Boolean)))
    expect(await read(`src/functions/${file}.ts`)).toContain(name);
  expect(calls.length).toBeGreaterThan(3);
});

test("docs/protocol.md lists the codes and statuses that refuse an upload", async () => {
  const sources = await Promise.all((await files("src/kit", ".ts")).map(read));
  const source = sources.find((text) => /^ +StorageTokenInvalid: 401/m.test(text)) ?? "";
  const [, section = ""] = (await read("docs/protocol.md")).split(/^## Uploading$/m);
  const [uploading = ""] = section.split(/^## /m);
  const rowsOf = (text: string, row: RegExp) =>
    [...text.matchAll(row)].map(([, code, status]) => `${code} ${status}`).sort();
  expect(rowsOf(uploading, /^\| `(\w+)` \| (\d{3}) /gm)).toEqual(rowsOf(source, /^ +([A-Z]\w+): (\d{3}),$/gm));
});

test("every decision record has a heading, a date, a status and each of its parts", () => {
  const records = pages.filter(({ path }) => path.startsWith("docs/decisions/"));
  const parts = [
    /^# \d{3} · \S.+$/m,
    /^Date: \d{4}-\d\d-\d\d\. Status: \w/m,
    /^\*\*Context\.\*\*/m,
    /^\*\*Decision\.\*\*/m,
    /^\*\*Consequences\.\*\*/m,
    /^\*\*Revisit when\*\*/m,
  ];
  const lacking = records.filter(({ text }) => parts.some((part) => !part.test(text))).map(({ path }) => path);
  expect(lacking).toEqual([]);
  expect(records.length).toBeGreaterThan(20);
});
