import { afterAll, beforeAll, expect, test } from "vitest";
import { ageUploads } from "./age";
import { createClient } from "./client";
import { createCrowd, describeCrowd, runCrowd } from "./crowd";
import { examine, sound } from "./examine";
import { startFleet } from "./fleet";
import { type Issuer, startIssuer } from "./issuer";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, sweptFiles } = scale;
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
  "three sweepers at once, while uploads run and the disk fails now and then: nothing is lost, nothing is left",
  async () => {
    report(`Sweeps a failing disk under load, seed ${seed}`);
    const random = createRandom(seed);
    const settings = { ...issuer.settings, DISK_FAILURES: "0.03", SEED: `${seed}` };
    const fleet = startFleet({ ...server, settings, size: 2, random });
    const crowd = createCrowd();
    const until = () => crowd.files.length >= sweptFiles;
    const sweepAgainAndAgain = async () => {
      while (!until()) {
        await ageUploads();
        await createClient(fleet).call("crash.sweep", {});
      }
    };
    const load = runCrowd(crowd, { fleet, issuer, seed, clients: 8, maxSize: 1024 * 1024, until });
    const work = Promise.all([load, ...[1, 2, 3].map(sweepAgainAndAgain)]);
    await reporting(() => describeCrowd(crowd), work);
    expect(crowd.refusals).toMatchObject({ StorageFull: expect.any(Number), StorageUnavailable: expect.any(Number) });
    expect(await examine(crowd, fleet)).toEqual(sound);
    await fleet.stop();
    expect(fleet.failures).toEqual([]);
  },
  scale.limit,
);
