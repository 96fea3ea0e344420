import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

// The errors that TypeScript prints for mistakes that people make when they write functions.

const mistakes: [mistake: string, code: string, message: RegExp][] = [
  [
    "a zod type as arguments",
    "mutation({ args: z.object({ body: z.string() }), handler: (_, { body }) => body });",
    /^Type 'ZodObject.*"`args` is a zod type\. Pass its fields alone, for example args: \{ body: z\.string\(\) \}\."'/,
  ],
  [
    "an argument without a zod type",
    'mutation({ args: { body: "text" }, handler: (_, { body }) => body });',
    /^Type '"text"' is not assignable to type '"This argument is not a zod type\. Write for example z\.string\(\)\."'/,
  ],
  [
    "a result that `returns` does not describe",
    "query({ args: { a: z.string() }, returns: z.object({ body: z.number() }), handler: (_, { a }) => ({ body: a }) });",
    /^Type 'ZodObject.*"The handler returns something else than `returns` describes\./,
  ],
  [
    "a shape as `returns`",
    "query({ returns: { n: z.number() }, handler: () => ({ n: 1 }) });",
    /^Type '\{ n: .*"`returns` is not a zod type\. Write for example z\.object/,
  ],
  [
    "no handler",
    "mutation({ args: { body: z.string() } });",
    /^Property 'handler' is missing in type '\{ args: .*' but required in type 'Config<MutationCtx/,
  ],
  [
    "a handler under another name",
    "mutation({ args: {}, handle: () => 1 });",
    /'handle' does not exist in type 'Config<MutationCtx.*\. Did you mean to write 'handler'\?/,
  ],
  [
    "the database in an action",
    "action({ handler: (ctx) => ctx.db.message.findMany() });",
    /^Property 'db' does not exist on type 'ActionCtx'\./,
  ],
  [
    "the id of a message for that of a file",
    'mutation({ args: { id: id("message") }, handler: (ctx, { id }) => ctx.storage.delete(id) });',
    /^Argument of type 'Id<"message">' is not assignable to parameter of type 'Id<"_storage">'\./,
  ],
];

test("each mistake is one error, which says what is wrong", async () => {
  await mkdir(".data", { recursive: true });
  const folder = await mkdtemp(resolve(".data", "mistakes-"));
  const imports =
    'import { z } from "zod"; import { action, mutation, query } from "~/kit"; import { id } from "~/kit/server";';
  const lines = [imports, "void [action, mutation, query, id, z];", ...mistakes.map(([, code]) => code)];
  await writeFile(join(folder, "mistakes.ts"), lines.join("\n"));
  const tsconfig = { extends: "../../tests/kit/tsconfig.json", include: ["mistakes.ts"], exclude: [] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  const program = ["node_modules/typescript/bin/tsc", "-p", folder, "--pretty", "false"];
  const printed = await new Promise<string>((done) => execFile(process.execPath, program, (_, stdout) => done(stdout)));
  await rm(folder, { recursive: true });

  const errors = [...printed.matchAll(/^\S+mistakes\.ts\((\d+),\d+\): error TS\d+: (.*)$/gm)];
  expect(errors.map(([, line, message]) => [mistakes[Number(line) - 3]?.[0], message])).toEqual(
    mistakes.map(([mistake, , message]) => [mistake, expect.stringMatching(message)]),
  );
}, 60_000);
