import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { commandOf, ROOT } from "../../../scripts/checkout.mjs";

// Generates the Prisma client of the kit's tests, unless it is up to date: of the kit's tables, and of app.prisma instead of
// the app's.

const folder = join(ROOT, "tests", "kit", "test-app");
const generated = join(folder, "generated");

/** The relations of app.prisma's models to the models that apps share with the kit. */
const relations = {
  Storage:
    'messages Message[]\n files File[]\n images Image[] @relation("image")\n thumbnails Image[] @relation("thumbnail")',
  User: "",
};

/** @returns {Promise<Record<string, string>>} the schema, by names of files */
async function testSchema() {
  const read = (/** @type {string} */ path) => readFile(path, "utf8");
  const kit = await read(join(ROOT, "prisma", "schema", "kit.prisma"));
  const app = await read(join(ROOT, "prisma", "schema", "app.prisma"));
  const known = ["String", "Boolean", "Int", "BigInt", "Float", "Decimal", "DateTime", "Json", "Bytes"];
  known.push(...[...kit.matchAll(/^(?:model|enum) (\w+)/gm)].map(([, name = ""]) => name));
  const shared = Object.entries(relations).map(([model, own]) => {
    const [, body = ""] = new RegExp(`^model ${model} \\{\\n(.*?)^\\}`, "ms").exec(app) ?? [];
    // A column or relation of a type that only the app knows is none of the kit's.
    const lines = body.split("\n").filter((line) => {
      const [, type] = /^\s+\w+\s+(\w+)/.exec(line) ?? [];
      return !type || known.includes(type);
    });
    return `model ${model} {\n${lines.join("\n")}\n ${own}\n}\n`;
  });
  return {
    "kit.prisma": kit.replace(/output\s*=.*/g, 'output = "../prisma"'),
    "app.prisma": `${await read(join(folder, "app.prisma"))}\n${shared.join("\n")}`,
  };
}

const schema = await testSchema();
const hash = createHash("sha256").update(JSON.stringify(schema));
for (const path of ["package-lock.json", "scripts/typed-ids.mjs"]) hash.update(await readFile(join(ROOT, path)));
const state = hash.digest("hex");
const stamp = join(generated, "made-from");
if ((await readFile(stamp, "utf8").catch(() => "")) !== state) {
  await mkdir(join(generated, "schema"), { recursive: true });
  for (const [name, text] of Object.entries(schema)) await writeFile(join(generated, "schema", name), text);
  const args = [commandOf("prisma"), "generate", "--no-hints", "--schema", join(generated, "schema")];
  const env = { ...process.env, CHECKPOINT_DISABLE: "1", PRISMA_HIDE_UPDATE_MESSAGE: "1" };
  await promisify(execFile)(process.execPath, args, { cwd: ROOT, env });
  await writeFile(stamp, state);
}
