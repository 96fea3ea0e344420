import { execFile } from "node:child_process";
import { cp, link, mkdir, mkdtemp, readdir, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface ScratchCopy {
  folder: string;
  /** Runs a program in it. Throws, with what it printed, when that fails. */
  run(command: string, args: string[], env?: Record<string, string>): Promise<string>;
  remove(): Promise<void>;
}

/** A copy of this project like that of a person who cloned and installed it. Tests change and build it. */
export async function createScratchCopy(): Promise<ScratchCopy> {
  const folder = await mkdtemp(join(tmpdir(), "scratch-copy-"));
  await copyProject(folder);
  await linkFolder("node_modules", join(folder, "node_modules"));
  await cp("src/generated", join(folder, "src/generated"), { recursive: true });
  return {
    folder,
    async run(command, args, env = {}) {
      const options = { cwd: folder, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
      const { stdout, stderr } = await run(command, args, options).catch((error) => {
        throw new Error(`${command} ${args.join(" ")} failed:\n${error.stdout}\n${error.stderr}`);
      });
      return stdout + stderr;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Copies what is in git, and what would be, as it is now. */
export async function copyProject(folder: string): Promise<void> {
  const { stdout } = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
  for (const file of stdout.split("\0").filter(Boolean)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    // Ignores files that were deleted and are not committed yet.
    await cp(file, join(folder, file)).catch((error) => error.code === "ENOENT" || Promise.reject(error));
  }
}

/** Links the same files into another folder, without a copy of their bytes. */
async function linkFolder(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkFolder(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else await link(source, target).catch(() => cp(source, target));
  }
}
