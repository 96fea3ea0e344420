import { execFileSync, spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import manifest from "../../../package.json";
import { applyMigrations, writeMigration } from "../../../scripts/migrations.mjs";
import { dataLosses, pendingChanges } from "../../../scripts/schema-changes.mjs";
import { createDatabase } from "../../database";
import { copyProject } from "../scratch-copy";

/** Two repositories: the template, of versions v1 and v2, and an app that began as v1. */
let root: string;
const template = () => join(root, "template");
const clone = () => join(root, "clone");

const git = (folder: string, ...args: string[]) =>
  execFileSync("git", ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", ...args], {
    cwd: folder,
    encoding: "utf8",
  });

function commit(folder: string, message: string): void {
  git(folder, "add", "-A");
  git(folder, "commit", "-qm", message);
}

async function change(folder: string, path: string, from: string, to: string): Promise<void> {
  const text = await readFile(join(folder, path), "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  await writeFile(join(folder, path), text.replace(from, to));
}

const { version } = manifest.kit;

const update = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/kit-update.mjs", ...args], {
    cwd: clone(),
    encoding: "utf8",
  });
  return { status, text: stdout + stderr };
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kit-update-"));
  await copyProject(template());
  git(template(), "init", "-q");
  commit(template(), "v1");
  git(template(), "tag", "v1");

  await cp(template(), clone(), { recursive: true });
  await symlink(join(process.cwd(), "node_modules"), join(clone(), "node_modules"), "junction");

  // The next version: other code, a column in a shared model and one of the kit's, a dependency, a setting of a tool.
  await writeFile(join(template(), "src/kit/newer.ts"), "export const newer = true;\n");
  await writeFile(join(template(), "tests/kit/newer.test.ts"), "export {};\n");
  git(template(), "rm", "-q", "src/kit/testing.ts");
  const owner = "  owner        String?\n  /// Whether `ctx.storage.claim`";
  await change(template(), "prisma/schema/app.prisma", owner, `  language     String?\n${owner}`);
  await change(
    template(),
    "prisma/schema/kit.prisma",
    "model StorageTotal {\n",
    "model StorageTotal {\n  note String?\n",
  );
  const sql =
    'ALTER TABLE "_storage" ADD COLUMN "language" TEXT;\nALTER TABLE "_storage_totals" ADD COLUMN "note" TEXT;\n';
  await writeMigration("languages", sql, join(template(), "prisma"));
  await change(template(), "package.json", '"dependencies": {', '"dependencies": {\n    "a-new-one": "1.2.3",');
  await change(template(), "package.json", '"imports": {', '"imports": {\n    "#newer": "./src/kit/newer.ts",');
  await change(template(), "package.json", `"version": "${version}"`, '"version": "next"');
  await change(template(), "next.config.mjs", "poweredByHeader: false", "poweredByHeader: false,\n  compress: false");
  commit(template(), "v2");
  git(template(), "tag", "v2");

  // The app: a table with a file, a dependency, a function, a changed setting.
  await change(clone(), "prisma/schema/app.prisma", "  restoredAt ", "  notes      Note[]\n  restoredAt ");
  await writeFile(
    join(clone(), "prisma/schema/notes.prisma"),
    `model Note {
  id        String   @id @default(uuid(7)) @map("_id") @db.Uuid
  storageId String?  @db.Uuid
  storage   Storage? @relation(fields: [storageId], references: [id], onDelete: SetNull)

  @@index([storageId])
  @@map("notes")
}
`,
  );
  const pending = await pendingChanges(process.env.DATABASE_URL ?? "", join(clone(), "prisma"));
  await writeMigration("notes", pending ?? "", join(clone(), "prisma"));
  await change(clone(), "package.json", '"dependencies": {', '"dependencies": {\n    "one-of-theirs": "4.5.6",');
  await change(clone(), "next.config.mjs", "poweredByHeader: false", "poweredByHeader: true");
  await writeFile(join(clone(), "src/functions/notes.ts"), "export {};\n");
  commit(clone(), "An app");
}, 60_000);

afterAll(() => rm(root, { recursive: true, force: true }));

describe("kit update", () => {
  test("says what is missing, and touches nothing, without a version, a source, or a clean checkout", async () => {
    expect(update()).toMatchObject({ status: 1, text: expect.stringContaining("kit -- update <version> --from") });
    await writeFile(join(clone(), "unsaved.txt"), "");
    expect(update("v2", "--from", template())).toMatchObject({
      status: 1,
      text: expect.stringContaining("not committed"),
    });
    await rm(join(clone(), "unsaved.txt"));
    expect(git(clone(), "status", "--porcelain")).toBe("");
  });

  test("takes an app with a table, a relation to Storage and a dependency of its own to the next version", async () => {
    const { status, text } = update("v2", "--from", template());
    expect([status, text]).toEqual([0, expect.stringContaining("The kit is now of version next")]);
    const read = (path: string) => readFile(join(clone(), path), "utf8");

    // The kit is the new one, without files that the new version deleted.
    expect(git(clone(), "diff", "FETCH_HEAD", "--stat", "--", "src/kit", "scripts", "tests/kit")).toBe("");
    expect(git(clone(), "diff", "FETCH_HEAD", "--stat", "--", "prisma/schema/kit.prisma")).toBe("");
    expect(await read("src/kit/newer.ts")).toContain("newer");
    // The app's is as it was, with what the kit needs.
    const schema = await read("prisma/schema/app.prisma");
    expect(schema).toMatch(/^model Storage \{.*^ {2}notes {6}Note\[\].*^ {2}language {5}String\?.*^\}/ms);
    expect(JSON.parse(await read("package.json"))).toMatchObject({
      kit: { version: "next", from: template() },
      dependencies: { "a-new-one": "1.2.3", "one-of-theirs": "4.5.6" },
      imports: { "#newer": "./src/kit/newer.ts" },
    });
    expect(await read("next.config.mjs")).toContain("poweredByHeader: true");
    expect(text).toMatch(/^\+ {2}compress: false/m);
    expect(await read("src/functions/notes.ts")).toBe("export {};\n");
  });

  test("leaves a schema without pending changes, whose migrations run and drop nothing", async () => {
    const folder = join(clone(), "prisma");
    expect(await pendingChanges(process.env.DATABASE_URL ?? "", folder)).toBeNull();
    const { url, drop } = await createDatabase();
    const { applied } = await applyMigrations(url, folder);
    await drop();
    expect(applied.map((name) => name.replace(/^\d+_/, "")).sort()).toEqual(["languages", "notes"]);
    for (const name of applied) {
      expect(dataLosses(await readFile(join(folder, "migrations", name, "migration.sql"), "utf8"))).toEqual([]);
    }
  });

  test("brings the kit's tests, but nothing of the demos, to an app that removed them", async () => {
    git(clone(), "reset", "-q", "--hard");
    git(clone(), "clean", "-fdq");
    git(clone(), "rm", "-rq", "--ignore-unmatch", "scripts/remove-demos.mjs", "tests/demos", "bench");
    git(clone(), "commit", "-qm", "Without the demos", "--allow-empty");
    expect(update("v2", "--from", template())).toMatchObject({ status: 0 });
    expect(git(clone(), "ls-files", "scripts/remove-demos.mjs", "tests/demos", "bench")).toBe("");
    expect(git(clone(), "diff", "FETCH_HEAD", "--stat", "--", "src/kit", "tests/kit")).toBe("");
  });
});
