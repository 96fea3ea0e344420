import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const load = (...flags: string[]) =>
  promisify(execFile)(process.execPath, ["--import", "tsx", ...flags, "-e", 'import("#only-on-the-server")']);

test("a bundle for the browser that has the kit's server code is refused with a sentence, and Node.js loads it", async () => {
  await load();
  await expect(load("--conditions=browser")).rejects.toThrow(/cannot be imported from a Client Component/);
});
