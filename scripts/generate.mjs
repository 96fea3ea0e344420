import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { commandOf, ROOT } from "./checkout.mjs";
import { readSchema } from "./schema.mjs";

/**
 * Generates the Prisma client from prisma/schema, unless that has been done.
 *
 * @returns {Promise<boolean>} whether there was something to do
 * @throws with Prisma's output when it refuses the schema
 */
export async function generateClient() {
  const command = commandOf("prisma");
  const hash = createHash("sha256").update(await readFile(join(ROOT, "package-lock.json")));
  const state = hash.update(await readSchema()).digest("hex");
  const stamp = join(ROOT, "src", "generated", "made-from");
  if ((await readFile(stamp, "utf8").catch(() => "")) === state) return false;

  console.log("Generating the Prisma client");
  const env = { ...process.env, CHECKPOINT_DISABLE: "1", PRISMA_HIDE_UPDATE_MESSAGE: "1" };
  await promisify(execFile)(process.execPath, [command, "generate", "--no-hints"], { cwd: ROOT, env }).catch(
    (error) => {
      throw new Error(`\`prisma generate\` failed:\n${error.stderr || error.stdout || error.message}`, {
        cause: error,
      });
    },
  );
  await writeFile(stamp, state);
  return true;
}
