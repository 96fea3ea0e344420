import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCrowd, describeCrowd, runCrowd } from "../../kit/crash/crowd";
import { examine, sound } from "../../kit/crash/examine";
import { startFleet } from "../../kit/crash/fleet";
import { type Issuer, startIssuer } from "../../kit/crash/issuer";
import { createRandom } from "../../kit/crash/random";
import { report, reporting, scale } from "../../kit/crash/scale";
import { launchApp } from "../../kit/crash/server-process";
import { collectGarbage } from "../../kit/inside";

const { seed, appKills } = scale;
let issuer: Issuer;

beforeAll(async () => {
  issuer = await startIssuer();
});

afterAll(() => issuer.stop());

test.runIf(existsSync(".next/BUILD_ID"))(
  "two processes of the built app, killed and asked to end under load: nothing is lost, nothing is left",
  async () => {
    report(`Ends \`next start\` under load, seed ${seed}`);
    const random = createRandom(seed);
    const fleet = startFleet({
      launch: launchApp,
      settings: issuer.settings,
      size: 2,
      random,
      lifetime: 200,
      signals: ["SIGKILL", "SIGTERM"],
    });
    const crowd = createCrowd();
    const until = () => fleet.kills() >= appKills || fleet.failures.length > 0;
    const sweepNowAndThen = async () => {
      for (; !until(); await pause(1000)) await collectGarbage();
    };
    const load = runCrowd(crowd, {
      fleet,
      issuer,
      seed,
      clients: 10,
      maxSize: 2 * 1024 * 1024,
      hasTestFunctions: false,
      until,
    });
    await reporting(() => `${fleet.kills()} kills, ${describeCrowd(crowd)}`, Promise.all([load, sweepNowAndThen()]));
    fleet.spare();
    expect(fleet.failures).toEqual([]);
    expect(await examine(crowd, fleet)).toEqual(sound);
    await fleet.stop();
  },
  scale.limit,
);
