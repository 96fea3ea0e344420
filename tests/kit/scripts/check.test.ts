import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { readSchema } from "../../../scripts/checkout.mjs";

/** Returns the problems that the check finds in a schema, one a line. */
async function check(schema: string) {
  const folder = await mkdtemp(join(tmpdir(), "schema-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "schema.prisma");
  await writeFile(path, schema);
  const { stderr, code } = await promisify(execFile)(process.execPath, ["scripts/check.mjs", "schema", path]).then(
    ({ stderr }) => ({ stderr, code: 0 }),
    (error) => error,
  );
  return { problems: stderr.split("\n").filter(Boolean), code };
}

const note = (...fields: string[]) => `model Note {\n  id String @id\n  ${fields.join("\n  ")}\n}\n`;
const relation = (type: string, onDelete: string) =>
  `storage ${type} @relation(fields: [storageId], references: [id], onDelete: ${onDelete})`;

describe("check-schema", () => {
  test("a file that is optional and set to null, or required and cascades: nothing to say, 0", async () => {
    const schema =
      note("storageId String? @db.Uuid", relation("Storage?", "SetNull")) +
      note("storageId String @db.Uuid", relation("Storage", "Cascade"));
    expect(await check(schema)).toEqual({ problems: [], code: 0 });
  });

  test("the app's own schema: nothing to say, 0", async () => {
    expect(await check(await readSchema())).toEqual({ problems: [], code: 0 });
  });

  test("storage ids without a foreign key: each is named, 1", async () => {
    const { problems, code } = await check(note("storageId String?", "imageStorageIds String[]"));
    expect(problems).toEqual([
      expect.stringMatching(/^Note\.storageId looks like a storage id/),
      expect.stringMatching(/^Note\.imageStorageIds looks like a storage id/),
    ]);
    expect(code).toBe(1);
  });

  test("a required file that is to be set to null: is named with the way out, 1", async () => {
    const { problems, code } = await check(note("storageId String @db.Uuid", relation("Storage", "SetNull")));
    expect(problems).toEqual([expect.stringMatching(/^Note\.storageId is required.*onDelete: Cascade/)]);
    expect(code).toBe(1);
  });
});
