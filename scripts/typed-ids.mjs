import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

// A generator of Prisma, which `prisma generate` runs after the client's. In the types of the client it gives columns that hold
// ids the type `Id` of their table, where Prisma writes `string`: in what functions read, write and search for. So editors show
// these types, and TypeScript has nothing to compute. Where a file looks different than expected, it keeps Prisma's types.

/**
 * @typedef {{ name: string, kind: string, type: string, isId: boolean, relationFromFields?: string[], relationToFields?: string[] }} Field
 * @typedef {{ name: string, fields: Field[] }} Model
 * @typedef {{ dmmf: { datamodel: { models: Model[] } }, generator: { output: { value: string } } }} Options
 */

/** @type {Record<string, string>} */
const convexNames = { Storage: "_storage", ScheduledFunction: "_scheduled_functions" };

/** The type of ids of a model. @param {string} model */
const idOf = (model) => `Id<"${convexNames[model] ?? model.charAt(0).toLowerCase() + model.slice(1)}">`;

/** The types of a model's columns that hold ids. @param {Model} model @returns {[string, string][]} */
const idColumns = ({ name, fields }) =>
  fields.flatMap(({ name: field, type, isId, relationFromFields: from = [], relationToFields: to = [] }) => {
    if (isId && field === "id" && type === "String") return [[field, idOf(name)]];
    return from.length === 1 && to[0] === "id" ? [[from[0] ?? "", idOf(type)]] : [];
  });

/** @param {Options} options */
async function generate({ dmmf, generator }) {
  for (const model of dmmf.datamodel.models) {
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
