import { afterAll, beforeAll, expect, test } from "vitest";
import { createCrowd, describeCrowd, runCrowd } from "./crowd";
import { examine, sound } from "./examine";
import { type CrashPoint, startFleet } from "./fleet";
import { type Issuer, startIssuer } from "./issuer";
import { pointsAround, storageSteps } from "./points";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, kills, files } = scale;

const sample: CrashPoint[] = [
  "before disk create", // listed, without a byte
  "before disk write",
  "before disk rename", // durable, but aside
  "before disk sync folder",
  "before sql DELETE _unowned_blobs, INSERT _spent_uploads, INSERT _storage", // stored, but not claimed
  "after sql DELETE _unowned_blobs, INSERT _spent_uploads, INSERT _storage", // a file, but not answered
  "before sql DELETE _storage, INSERT _unowned_blobs",
  "before sql COMMIT", // deleted, but not for good
  "after sql COMMIT", // deleted, with its bytes still there
  "after sql UPDATE _unowned_blobs", // condemned
  "after disk rm blob",
  "before sql DELETE _unowned_blobs", // gone, but still listed
];

/** The others come at random. */
const points = kills > 2 * storageSteps.length ? pointsAround(storageSteps, kills / 2) : sample;

let server: BundledServer;
let issuer: Issuer;

beforeAll(async () => {
  [server, issuer] = await Promise.all([bundleServer(), startIssuer()]);
}, 60_000);

afterAll(async () => {
  await server.remove();
  issuer.stop();
});

test(
  "servers killed at the steps of upload, delete and sweep, under load: nothing is lost, nothing is left",
  async () => {
    report(`Kills servers under load, seed ${seed}`);
    const random = createRandom(seed);
    const lifetime = 60 + Math.ceil((6 * files) / kills);
    const fleet = startFleet({ ...server, settings: issuer.settings, size: 3, random, points, lifetime });
    const crowd = createCrowd();
    const until = () => (fleet.kills() >= kills && crowd.files.length >= files) || fleet.failures.length > 0;
    const load = runCrowd(crowd, { fleet, issuer, seed, clients: 10, maxSize: scale.fileSize, until });
    await reporting(() => `${fleet.kills()} kills, ${describeCrowd(crowd)}`, load);
    fleet.spare();
    expect(fleet.failures).toEqual([]);
    // Uploads that took long met garbage collection. Nothing else is refused because servers die.
    expect(Object.keys(crowd.refusals).filter((code) => code !== "swept under way")).toEqual([]);
    expect(await examine(crowd, fleet)).toEqual(sound);
    await fleet.stop();
  },
  scale.limit,
);
