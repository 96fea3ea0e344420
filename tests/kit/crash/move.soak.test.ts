import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { env } from "~/kit/process/env";
import { type S3Store, startS3 } from "../stand-ins/s3";
import { createCrowd, describeCrowd, runCrowd } from "./crowd";
import { examine, sound } from "./examine";
import { type Fleet, startFleet } from "./fleet";
import { type Issuer, startIssuer } from "./issuer";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

let server: BundledServer;
let issuer: Issuer;
let s3: S3Store;

beforeAll(async () => {
  [server, issuer, s3] = await Promise.all([bundleServer(), startIssuer(), startS3()]);
}, 60_000);
afterAll(async () => {
  await server.remove();
  issuer.stop();
  await s3.stop();
});

const disk = { STORAGE_DRIVER: "disk", SECOND_STORAGE_DRIVER: "", S3_BUCKET: "", S3_REGION: "", S3_ENDPOINT: "" };
const diskFirst = { STORAGE_DRIVER: "disk", SECOND_STORAGE_DRIVER: "s3" };
const s3First = { STORAGE_DRIVER: "s3", SECOND_STORAGE_DRIVER: "disk" };
const s3Alone = { STORAGE_DRIVER: "s3", SECOND_STORAGE_DRIVER: "", STORAGE_DISK_PATH: "" };

test(
  "files move from a disk to a bucket and back, under load, while servers and moves are killed: nothing is lost, no read fails",
  async () => {
    const random = createRandom(scale.seed);
    const kills: Fleet["kills"][] = [];
    const failures: string[] = [];
    const open = (settings: Record<string, string>) => {
      const all = { ...issuer.settings, ...s3.settings, ...settings };
      const fleet = startFleet({ ...server, settings: all, size: 2, random, lifetime: 150 });
      kills.push(fleet.kills);
      return fleet;
    };
    let fleet = open(disk);
    /** Restarts the servers one by one, with other settings. */
    const restart = async (settings: Record<string, string>) => {
      const [before, next] = [fleet, open(settings)];
      await next.origin();
      fleet = next;
      await before.stop();
      failures.push(...before.failures);
    };
    let isOver = false;
    /** A client that waits for the servers before a restart is sent to those after it. */
    const origin = async (): Promise<string> => {
      const current = fleet;
      return current.origin().catch((error) => {
        if (current === fleet) throw error;
        return origin();
      });
    };
    const crowd = createCrowd();
    const load = runCrowd(crowd, {
      fleet: { origin },
      issuer,
      seed: scale.seed,
      clients: 6,
      maxSize: 2 * 1024 * 1024,
      until: () => isOver,
    });
    const files = async (more: number) => {
      const enough = crowd.files.length + more;
      while (crowd.files.length < enough) await pause(50);
    };
    let moveKills = 0;
    /** Moves, killing the command as it works, until one says that all is done. */
    const move = async (to: string, settings: Record<string, string>, count: number) => {
      for (let round = 0; ; round++) {
        const child = execFile(process.execPath, ["scripts/kit.mjs", "storage:move", "--to", to], {
          env: { ...process.env, ...s3.settings, ...settings },
        });
        let text = "";
        for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += chunk));
        if (round < count) {
          await killAtWork(child, to);
          moveKills++;
          continue;
        }
        const [status] = await once(child, "close");
        expect(text).not.toMatch(/neither|damaged/);
        expect(status, text).toBe(0);
        return text;
      }
    };
    const countIn = async (store: string) =>
      store === "s3"
        ? (await s3.count()).blobs
        : (await readdir(env.STORAGE_DISK_PATH, { recursive: true }).catch(() => [])).length;
    const killAtWork = async (child: ChildProcess, to: string) => {
      const ended = once(child, "close");
      const before = await countIn(to);
      while ((await countIn(to)) < before + 5 && child.exitCode === null) await pause(5);
      child.kill("SIGKILL");
      await ended;
    };
    try {
      await reporting(
        () => describeCrowd(crowd),
        (async () => {
          await files(60);
          await restart(diskFirst);
          report("Both stores, the disk first");
          await move("s3", diskFirst, scale.moveKills);
          await files(20);
          await restart(s3First);
          report("Both stores, the bucket first");
          await move("s3", s3First, scale.moveKills);
          await files(20);
          await move("s3", s3First, 0);
          await restart(s3Alone);
          // The old store goes.
          await rm(env.STORAGE_DISK_PATH, { recursive: true });
          report("The bucket alone");
          await files(40);
          await restart(s3First);
          await restart(diskFirst);
          report("Both stores, the disk first");
          await move("disk", diskFirst, scale.moveKills);
          await files(20);
          await move("disk", diskFirst, 0);
          await restart(disk);
          report("The disk alone");
          await files(20);
        })(),
      );
    } finally {
      isOver = true;
      await load;
      fleet.spare();
    }
    report(`${kills.reduce((sum, count) => sum + count(), 0)} servers and ${moveKills} moves were killed`);
    expect([...failures, ...fleet.failures]).toEqual([]);
    expect(Object.keys(crowd.refusals).filter((code) => code !== "swept under way")).toEqual([]);
    expect(await examine(crowd, fleet)).toEqual(sound);
    await fleet.stop();
  },
  scale.limit,
);
