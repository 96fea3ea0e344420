import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { identify, takeDevLock } from "../../../scripts/processes.mjs";

const address = "http://localhost:3000";
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dev-lock-test-"));
  path = join(folder, "data", "dev.lock");
});
afterEach(() => rm(folder, { recursive: true }));

/** A process that does nothing, in a group of its own. */
function idle() {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
  const { pid } = child;
  if (!pid) throw new Error("Node did not start");
  return { child, pid, exited: once(child, "exit") };
}

test("while one runs, a second is refused with the pid and address of the first", async () => {
  const lock = await takeDevLock(path, address);
  await expect(takeDevLock(path, "http://localhost:4000")).rejects.toThrow(
    `Already running: process ${process.pid} serves ${address}.`,
  );
  lock.release();
  expect(existsSync(path)).toBe(false);
  (await takeDevLock(path, address)).release();
});

test("the lock of a killed process is taken over, and the app it left is ended", async () => {
  const [owner, app] = [idle(), idle()];
  const lock = await takeDevLock(path, address);
  await lock.setApp(app.pid);
  const record = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...record, owner: { pid: owner.pid, identity: await identify(owner.pid) } }));
  await expect(takeDevLock(path, address)).rejects.toThrow(`process ${owner.pid}`);

  owner.child.kill("SIGKILL");
  await owner.exited;
  await takeDevLock(path, address);
  expect(await app.exited).toEqual([null, "SIGKILL"]);
});

test("pids that other programs have by now are left alone", async () => {
  const other = idle();
  const stranger = { pid: other.pid, identity: "1 node scripts/dev.mjs" };
  await takeDevLock(path, address);
  await writeFile(path, JSON.stringify({ owner: stranger, app: stranger, address }));
  await takeDevLock(path, address);
  expect(await identify(other.pid)).not.toBeNull();
  other.child.kill("SIGKILL");
});

test("a lock cut off while it was written is taken over", async () => {
  await takeDevLock(path, address);
  await writeFile(path, "");
  await takeDevLock(path, address);
  expect(JSON.parse(await readFile(path, "utf8")).owner.pid).toBe(process.pid);
});
