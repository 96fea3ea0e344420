import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, readdir, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { canReach, POSTGRES_ENV, sharedFolder } from "./postgres-programs.mjs";
import { identify } from "./processes.mjs";

/** A dying process may still write while we remove. */
const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 };

/**
 * The real place of `folder`: itself, unless PostgreSQL's user may not enter it. Then it becomes a link to a folder
 * that it may enter; when the link is gone (somebody deleted `.data`), so is what it led to.
 *
 * @param {string} folder absolute; need not exist
 * @param {import("./postgres-programs.mjs").User | null} user
 */
export async function postgresHome(folder, user) {
  await mkdir(dirname(folder), { recursive: true });
  if (existsSync(folder)) return realpath(folder);
  await rm(folder, { force: true }); // a link to nothing
  const parent = await realpath(dirname(folder));
  const place = join(parent, basename(folder));
  if (!user || (await canReach(user, parent))) return place;

  const home = join(await sharedFolder(), createHash("sha256").update(place).digest("hex").slice(0, 16));
  await rm(home, REMOVE);
  await symlink(home, folder);
  return home;
}

/**
 * Makes the folder under another name first: what is there under its own name is complete.
 *
 * @param {string} home
 * @param {string} initdb
 * @param {import("./postgres-programs.mjs").User | null} user
 * @param {boolean} throwAway
 */
export async function initialiseHome(home, initdb, user, throwAway) {
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
    const args = ["-D", join(draft, "data"), ...login, ...locale, ...(throwAway ? ["--no-sync"] : [])];
    await promisify(execFile)(initdb, args, { ...user, cwd: draft, env: POSTGRES_ENV });
    await rename(draft, home);
  } catch (cause) {
    await rm(draft, REMOVE);
    // Two scripts may do this at once; the one that comes second uses what the first has made.
    if (existsSync(home)) return;
    const reason = cause instanceof Error ? cause.message : cause;
    throw new Error(`PostgreSQL's data folder ${home} could not be made. Set DATABASE_URL to use another.\n${reason}`, {
      cause,
    });
  }
}
