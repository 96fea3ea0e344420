import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

// A generator of Prisma, which `prisma generate` runs after the client's. In the types of the client it gives columns that hold
// ids the type `Id` of their table, where Prisma writes `string`: in what functions read, write and search for. So editors show
// these types, and TypeScript has nothing to compute. Where a file looks different than expected, it keeps Prisma's types. The
// generated code imports `Id` from where it is declared, because `~/kit/server` imports the generated code itself.

/**
 * @typedef {{ name: string, kind: string, type: string, isId: boolean, relationFromFields?: string[], relationToFields?: string[] }} Field
 * @typedef {{ name: string, fields: Field[] }} Model
 * @typedef {{ dmmf: { datamodel: { models: Model[] } }, generator: { output: { value: string } } }} Options
 */

/** @type {Record<string, string>} */
const convexNames = { Storage: "_storage", ScheduledFunction: "_scheduled_functions" };

/** A model's name in ids, in quotes: that of `ctx.db`, and those that Convex has for files and jobs. @param {string} model */
const tableOf = (model) => `"${convexNames[model] ?? model.charAt(0).toLowerCase() + model.slice(1)}"`;

/** The types of a model's columns that hold ids. @param {Model} model @returns {[string, string][]} */
const idColumns = ({ name, fields }) =>
  fields.flatMap(({ name: field, type, isId, relationFromFields: from = [], relationToFields: to = [] }) => {
    if (isId && field === "id" && type === "String") return [[field, `Id<${tableOf(name)}>`]];
    return from.length === 1 && to[0] === "id" ? [[from[0] ?? "", `Id<${tableOf(type)}>`]] : [];
  });

/** @param {Options} options */
async function generate({ dmmf, generator }) {
  const { models } = dmmf.datamodel;
  const names = models.map(({ name }) => tableOf(name)).join(" | ");
  await writeFile(join(generator.output.value, "ids.ts"), `export type TableName = ${names};\n`);
  for (const model of models) {
    const path = join(generator.output.value, "models", `${model.name}.ts`);
    let text = await readFile(path, "utf8");
    for (const [column, id] of idColumns(model)) {
      text = text.replace(new RegExp(`^  +${column}\\??: .*$`, "gm"), (line) =>
        line
          .replace(/\bPrisma\.\w*(?:Uuid|String)\w*(?:Filter|Input)(?:<"\w+">)?/g, `WithIds<$&, ${id}>`)
          .replace(/\bstring\b/g, id),
      );
    }
    await writeFile(path, text.replace(/^import /m, 'import type { Id, WithIds } from "~/kit/database/ids"\n$&'));
  }
}

/** Prisma sends calls as lines of JSON, and reads the answers from the error output. */
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (method === "generate") await generate(params);
  const result = method === "generate" ? null : { manifest: { prettyName: "types of ids" } };
  process.stderr.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`);
}
