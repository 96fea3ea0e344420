import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { commandOf, ROOT } from "./checkout.mjs";
import { install } from "./install.mjs";

// npm run demos:remove
//
// Removes the demos: their pages, functions, models, tests and seed, and benchmarks. The app that remains runs, has a start
// page, and passes its checks. The kit's own tests stay, because they have functions and tables of their own.

const gone = [
  "src/app/chat",
  "src/app/files",
  "src/app/gallery",
  "src/app/http-demo",
  "src/app/share",
  "src/app/try-upload.tsx",
  "src/functions/messages.ts",
  "src/functions/files.ts",
  "src/functions/images.ts",
  "src/functions/shares.ts",
  "tests/e2e/demos",
  "tests/functions",
  "tests/demos",
  "bench",
  "vitest.soak.config.ts",
  "playwright.soak.config.ts",
  "vitest.s3.config.ts",
  "vitest.vercel.config.ts",
];

/** The new content of these files. */
const written = {
  "src/functions/index.ts": `import { kit } from "~/kit";
import crons from "./crons";
import * as email from "./email";
import http from "./http";

/** Every file of functions. What a file exports is served as \`<file>.<export>\`. */
export const app = kit.app({
  functions: { email },
  http,
  crons,
  // What mail about accounts says, and how it is sent. Without it, passwords cannot be reset.
  email: { write: email.accountEmail, send: email.sendEmail },
});

export type AppRouter = typeof app.router;
`,
  "src/functions/http.ts": `import { httpRouter } from "~/kit/server";

/** The HTTP API, served below \`/http\`. */
const http = httpRouter();
export default http;
`,
  "src/components/pages.ts": `/** What the header leads to: \`{ href: "/notes", label: "Notes" }\`. */
export const pages: { href: string; label: string }[] = [];
`,
  "src/app/page.tsx": `import { PageHeader } from "~/components/page-header";
import { SiteHeader } from "~/components/site-header";

export default function StartPage() {
  return (
    <>
      <SiteHeader />
      <main className="page">
        <PageHeader title="It runs" description="Write functions in src/functions. This page is src/app/page.tsx." />
      </main>
    </>
  );
}
`,
  "prisma/seed.mjs": `/** Gives an empty development database something to show. @param {string} _url */
export async function seed(_url) {
  // INSERT what your pages should show at first.
}
`,
  "tests/functions/app.test.ts": `import { expect, test } from "vitest";
import { app } from "~/functions";
import { testApp } from "~/kit/testing";

const { fetch } = testApp(app);

test("a path without an HTTP action is a 404", async () => {
  expect((await fetch("/nothing")).status).toBe(404);
});
`,
  "tests/e2e/start.spec.ts": `import { expect, test } from "./test";

test("the start page is there", async ({ visit }) => {
  const page = await visit({ url: "/" });
  await expect(page.getByRole("heading", { name: "It runs" })).toBeVisible();
});
`,
};

/** Replacements in these files, each with a pattern. @type {Record<string, [RegExp, string][]>} */
const changed = {
  "src/kit.ts": [[/owners: \{[^}]*\}/, "owners: {}"]],
  "src/app/layout.tsx": [
    [/title: ".*"/, 'title: "App"'],
    [/description: ".*"/, 'description: "An app with files."'],
  ],
  "src/app/globals.css": [
    [/^\/\* The frame of a picture\..*\n@utility picture-frame \{\n[\s\S]*?^\}\n\n/m, ""],
    [/^\n@utility dialog-control \{\n[\s\S]*?^\}\n/m, ""],
  ],
  "prisma/schema/app.prisma": [
    [/^(model (Message|File|ShareLink|Image)|enum MessageFormat) \{\n.*?^\}\n+/gms, ""],
    [/^ +\w+ +(Message|File|Image)\[\].*\n/gm, ""],
    [/\n{3,}/g, "\n\n"],
  ],
  "playwright.config.ts": [
    [/import type \{ WorkerOptions \}.*\n/, ""],
    [/<object, WorkerOptions>/, ""],
    [/ {4}\.\.\.\(\["S3".*?\}\)\),\n/s, ""],
    [/ {4}\/\/ The shell has no PDF viewer\.\n.*\n/, ""],
    [/, grepInvert: \/PDF\//, ""],
    [/\/\/ Each worker.*\nconst few.*\n\n/, ""],
  ],
  ".ci/run": [
    [/ Then the functions that Vercel\n# would run\. The last line counts the tests of `npm test`\./, ""],
    [/^log=.*\ntrap .*\nnpm test.*\nnpm run test:vercel\ntail .*\n/m, "exec npm test\n"],
  ],
  ".github/workflows/test.yml": [
    [/^ +- run: npm run test:vercel\n/gm, ""],
    [/^ {2}without-demos:.*?(?=^ {2}\S)/gms, ""],
  ],
  "vitest.config.ts": [
    [/, "tests\/demos\/[^"]*"/, ""],
    [/ +exclude: \["tests\/demos.*\n/, ""],
  ],
};

const migration = `-- The tables of the demos.
DROP TABLE "images", "share_links", "files", "messages";
DROP TYPE "MessageFormat";
`;

async function removeDemos() {
  refuseUncommitted();
  await install();
  for (const path of gone) await rm(join(ROOT, path), { recursive: true, force: true });
  for (const [path, text] of Object.entries(written)) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true });
    await writeFile(join(ROOT, path), text);
  }
  for (const [path, replacements] of Object.entries(changed)) {
    const before = await readFile(join(ROOT, path), "utf8").catch(() => null);
    if (before === null) continue;
    await writeFile(
      join(ROOT, path),
      replacements.reduce((text, [from, to]) => text.replace(from, to), before),
    );
  }
  await removeScripts("bench", "test:soak", "test:soak:browser", "test:s3", "test:vercel", "demos:remove");
  await removeUnusedComponents();
  const { writeMigration } = await import("./migrations.mjs");
  const path = await writeMigration("remove_demos", migration);
  execFileSync(process.execPath, [commandOf("@biomejs/biome", "biome"), "check", "--write"], {
    cwd: ROOT,
    stdio: "ignore",
  });
  await rm(join(ROOT, "scripts/remove-demos.mjs"));
  console.log(`The demos are gone. ${relative(ROOT, path)} drops their tables: npm run db:migrate applies it.`);
  console.log("Your checks: npm run check && npm test");
}

/** Refuses to run with uncommitted changes, because only git can restore what this deletes. */
function refuseUncommitted() {
  if (process.argv.includes("--force")) return;
  const changes = execFileSync("git", ["status", "--porcelain"], { cwd: ROOT, encoding: "utf8" });
  if (changes === "") return;
  console.error(
    "There are changes that are not committed. Commit them first, so that all of this can be undone; or add -- --force.",
  );
  process.exit(1);
}

/** @param {string[]} names */
async function removeScripts(...names) {
  const path = join(ROOT, "package.json");
  const manifest = JSON.parse(await readFile(path, "utf8"));
  for (const name of names) delete manifest.scripts[name];
  await writeFile(path, `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The components that an app's first page uses, as the README shows it. */
const offered = ["page-header.tsx", "upload.tsx"];

/** The demos' own components: no file of src imports them any more. */
async function removeUnusedComponents() {
  const folder = join(ROOT, "src/components");
  for (;;) {
    const sources = await Promise.all((await filesOf(join(ROOT, "src"))).map((path) => readFile(path, "utf8")));
    const isUsed = (/** @type {string} */ file) => {
      const name = file.replace(/\.tsx?$/, "");
      return sources.some((text) => text.includes(`/components/${name}"`) || text.includes(`"./${name}"`));
    };
    const unused = (await readdir(folder)).filter((file) => !offered.includes(file) && !isUsed(file));
    if (unused.length === 0) return;
    for (const file of unused) await rm(join(folder, file));
  }
}

/** @param {string} folder @returns {Promise<string[]>} */
async function filesOf(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

await removeDemos();
