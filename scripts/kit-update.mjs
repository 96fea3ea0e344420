import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT, readSchema } from "./checkout.mjs";
import { rememberSchema } from "./migrations.mjs";

// npm run kit -- update <version> [--from <URL or folder of the template's repository>]
//
// Takes the kit of another version: replaces the folders that an app does not edit, adds the kit's migrations, and adds to
// shared files what the kit needs. It changes files and runs nothing else, so that `git diff` shows all that it did and `git
// checkout .` undoes it.

/** Paths that an app does not edit. */
const replaced = ["src/kit", "scripts", "prisma/schema/kit.prisma", "CHANGELOG.md", "tests/kit"];
/** Further paths that an app does not edit, if it has the demos. */
const replacedWithDemos = ["tests/demos", "bench"];
/** Files that an app may have changed. For these, the command shows what the new version has. */
const shown = [
  "next.config.mjs",
  "tsconfig.json",
  "biome.json",
  "vitest.config.ts",
  "playwright.config.ts",
  "postcss.config.mjs",
  "prisma.config.ts",
  "vercel.json",
  "Dockerfile",
  "compose.yaml",
  ".npmrc",
  ".gitignore",
  ".gitattributes",
  ".dockerignore",
  "src/instrumentation.ts",
  "src/instrumentation-node.ts",
  "src/pages",
  "src/app/api",
  "src/app/http",
  "tests/setup.ts",
  "tests/global-setup.ts",
  "tests/database.ts",
  "tests/e2e/test.ts",
];
const sharedModels = ["Storage", "User"];

/** @param {string[]} args */
const git = (...args) =>
  execFileSync("git", args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    stdio: ["ignore", "pipe", "pipe"],
  });

/** A file of the new version, or `null`. @param {string} path */
function theirs(path) {
  try {
    return git("show", `FETCH_HEAD:${path}`);
  } catch {
    return null;
  }
}

async function update() {
  const { values, positionals } = parseArgs({ options: { from: { type: "string" } }, allowPositionals: true });
  const [version] = positionals;
  const manifestPath = join(ROOT, "package.json");
  const manifest = JSON.parse(await readFile(manifestPath, "utf8"));
  const from = values.from ?? manifest.kit?.from;
  if (!version || !from) {
    return refuse(
      "Usage: npm run kit -- update <version> --from <URL of the template's repository>. The URL is remembered in package.json.",
    );
  }
  if (git("status", "--porcelain") !== "") {
    return refuse("There are changes that are not committed. Commit them first, so that this update can be undone.");
  }
  const migrated = await readFile(join(ROOT, "prisma/migrations/schema.prisma"), "utf8");
  if (migrated !== (await readSchema())) {
    return refuse(
      "The schema has changes without a migration. Run `npm run db:migrate -- <name>` and commit it first.",
    );
  }
  git("fetch", "--depth", "1", from, version);

  const hasDemos = existsSync(join(ROOT, "scripts/remove-demos.mjs"));
  const paths = hasDemos ? [...replaced, ...replacedWithDemos] : replaced;
  git("rm", "-rq", "--ignore-unmatch", "--", ...paths);
  git("checkout", "FETCH_HEAD", "--", ...paths.filter((path) => git("ls-tree", "FETCH_HEAD", "--", path) !== ""));
  if (!hasDemos) git("rm", "-qf", "--ignore-unmatch", "--", "scripts/remove-demos.mjs");

  const migrations = git("ls-tree", "--name-only", "FETCH_HEAD", "prisma/migrations/")
    .split("\n")
    .filter(
      (path) => /\/\d{14}_/.test(path) && !existsSync(join(ROOT, path)) && (hasDemos || !path.includes("_demos_")),
    );
  if (migrations.length > 0) git("checkout", "FETCH_HEAD", "--", ...migrations);

  const appSchema = join(ROOT, "prisma/schema/app.prisma");
  const before = await readFile(appSchema, "utf8");
  const { text, added } = withSharedLines(before, theirs("prisma/schema/app.prisma") ?? "");
  await writeFile(appSchema, text);
  await rememberSchema();

  const template = JSON.parse(theirs("package.json") ?? "{}");
  const { missing, different } = mergeDependencies(manifest, template);
  // The folder `scripts` was replaced, so the npm scripts must run its new files.
  for (const [name, command] of Object.entries(template.scripts ?? {})) {
    const ours = manifest.scripts?.[name];
    if (command.startsWith("node scripts/") && (ours?.startsWith("node scripts/") ?? name !== "demos:remove")) {
      manifest.scripts = { ...manifest.scripts, [name]: command };
    }
  }
  // The kit's folder imports these.
  manifest.imports = { ...manifest.imports, ...template.imports };
  manifest.kit = { version: template.kit?.version ?? version, from };
  await writeFile(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);

  console.log(
    git("diff", "HEAD", "FETCH_HEAD", "--", ...shown) || "The files that you may have changed are the same in both.",
  );
  console.log(
    [
      `The kit is now of version ${manifest.kit.version}. Above is how the files that you may have changed differ from that`,
      "version's: take over what you want. CHANGELOG.md says what else to do.",
      list("New migrations", migrations),
      list("Added to prisma/schema/app.prisma", added),
      list("Added to package.json", missing),
      list("Of other versions in package.json, which the kit was not tested with", different),
      "Next: npm install && npm run db:migrate && npm run check && npm test",
    ]
      .filter(Boolean)
      .join("\n"),
  );
}

/** @param {string} title @param {string[]} items */
const list = (title, items) => items.length > 0 && `${title}:\n${items.map((item) => `  ${item}`).join("\n")}`;

/**
 * Returns the app's schema with the lines of the shared models that it lacks.
 *
 * @param {string} ours
 * @param {string} template
 */
function withSharedLines(ours, template) {
  /** @type {string[]} */
  const added = [];
  let text = ours;
  for (const name of sharedModels) {
    const bodyOf = (/** @type {string} */ schema) =>
      new RegExp(`^model ${name} \\{\\n(.*?)^\\}`, "ms").exec(schema)?.[1] ?? "";
    const keyOf = (/** @type {string} */ line) =>
      line.trim().startsWith("@@") ? line.trim() : line.trim().split(/\s+/)[0];
    const present = new Set(bodyOf(text).split("\n").map(keyOf));
    const lines = bodyOf(template)
      .split("\n")
      // Leaves out back-relations to the template's own models, which an app may not have.
      .filter((line) => line.trim() && !line.trim().startsWith("//") && !isOfDemo(line) && !present.has(keyOf(line)));
    if (lines.length === 0) continue;
    added.push(...lines.map((line) => `${name}: ${line.trim()}`));
    text = text.replace(
      new RegExp(`(^model ${name} \\{\\n.*?)(^ *@@)`, "ms"),
      (_, head, attributes) => `${head}${lines.join("\n")}\n${attributes}`,
    );
  }
  return { text, added };
}

/** Whether a line is a relation to a model of the template's app. @param {string} line */
const isOfDemo = (line) => /^\s+\w+\s+(Message|File|Image)\[\]/.test(line);

/**
 * Adds to a manifest the dependencies of the template that it lacks.
 *
 * @param {Record<string, Record<string, string>>} manifest
 * @param {Record<string, Record<string, string>>} template
 */
function mergeDependencies(manifest, template) {
  /** @type {string[]} */
  const missing = [];
  /** @type {string[]} */
  const different = [];
  for (const kind of ["dependencies", "devDependencies"]) {
    const ours = { ...manifest[kind] };
    const all = { ...manifest.dependencies, ...manifest.devDependencies };
    for (const [name, version] of Object.entries(template[kind] ?? {})) {
      if (all[name] === undefined) {
        ours[name] = version;
        missing.push(`${name} ${version}`);
      } else if (all[name] !== version) different.push(`${name} ${all[name]}, and not ${version}`);
    }
    manifest[kind] = Object.fromEntries(Object.entries(ours).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  return { missing, different };
}

/** @param {string} reason */
function refuse(reason) {
  console.error(reason);
  process.exitCode = 1;
}

await update();
