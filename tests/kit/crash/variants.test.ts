import { setTimeout as pause } from "node:timers/promises";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { createFileUrl, createUploadUrl, imageWidths } from "~/kit/storage/tokens";
import { type Answer, createClient } from "./client";
import { createCrowd, type KnownFile } from "./crowd";
import { examine, sound } from "./examine";
import { sha256Of } from "./file-body";
import { startFleet } from "./fleet";
import { type Issuer, startIssuer } from "./issuer";
import { pointsAround, variantSteps } from "./points";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, variantKills, variants } = scale;
const formats = ["webp", "jpeg"] as const;
let server: BundledServer;
let issuer: Issuer;

beforeAll(async () => {
  [server, issuer] = await Promise.all([bundleServer(), startIssuer()]);
}, 60_000);

afterAll(async () => {
  await server.remove();
  issuer.stop();
});

const endClaims = () =>
  prisma.$executeRaw`UPDATE "_storage_variants" SET "leaseUntil" = now() WHERE "result" IS NULL AND "creationTime" < now() - interval '1 second'`;

/** Repeats a request until the answer is below 500. */
async function insist<Body>(send: () => Promise<Answer<Body> | null>): Promise<Answer<Body>> {
  for (;;) {
    const answer = await send();
    if (answer && answer.status < 500 && answer.code !== "CONFLICT") return answer;
    await pause(answer ? 50 : 2);
  }
}

test(
  "servers killed while they make images of other sizes and delete their files: no image outlives its file, and no bytes are left",
  async () => {
    report(`Kills servers that make images, seed ${seed}`);
    const random = createRandom(seed);
    const points = pointsAround(random.shuffle(variantSteps), Math.min(variantKills, 2 * variantSteps.length));
    const fleet = startFleet({ ...server, settings: issuer.settings, size: 3, random, points, lifetime: 40 });
    const crowd = createCrowd();
    const bytes = await sharp({ create: { width: 300, height: 200, channels: 3, background: "teal" } })
      .png()
      .toBuffer();
    const body = new Uint8Array(bytes);
    let made = 0;

    const store = async (client: ReturnType<typeof createClient>, owner: string): Promise<KnownFile> => {
      const uploadPath = createUploadUrl("", {}, owner);
      const { body: answer } = await insist(() => client.post(uploadPath, body, { "Content-Type": "image/png" }));
      const file: KnownFile = {
        id: answer.storageId ?? "",
        sha256: sha256Of(body),
        uploadPath,
        saved: true,
        fate: "kept",
      };
      crowd.files.push(file);
      await insist(async () => {
        const saved = await client.call("files.saveFile", { storageId: file.id, name: "a.png" });
        // A second row for the file is refused: an attempt before took effect.
        const isSaved = saved?.status === 500 && (await prisma.file.count({ where: { storageId: file.id } })) > 0;
        return isSaved ? { ...saved, status: 200 } : saved;
      });
      return file;
    };

    const isEnough = () => (fleet.kills() >= variantKills && made >= variants) || fleet.failures.length > 0;
    const work = async (number: number) => {
      const { owner, token } = await issuer.introduce(`client ${number}`);
      const client = createClient(fleet, token);
      while (!isEnough()) {
        const file = await store(client, owner);
        const url = () =>
          createFileUrl("", file.id, {
            width: random.pick([imageWidths[0], imageWidths[2]]),
            format: random.pick(formats),
          });
        const ask = async () => {
          const { status } = await insist(() => client.get(url()));
          // The file may be deleted meanwhile.
          if (status !== 200 && !(status === 404 && file.fate === "deleted")) crowd.violations.push(`${status}`);
          made++;
        };
        const asking = [ask(), ask(), ask()];
        if (random.chance(0.3)) await Promise.all(asking);
        if (random.chance(0.7)) {
          file.fate = "deleted";
          await insist(() => client.call("files.delete", { storageId: file.id }));
        }
        await Promise.all(asking);
      }
    };
    // A claim holds for two minutes. Here others take it over at once, also while its server works on.
    const aging = setInterval(() => endClaims().catch(() => undefined), 500);
    await reporting(() => `${fleet.kills()} kills, ${made} images`, Promise.all([1, 2, 3, 4].map(work)));
    clearInterval(aging);
    fleet.spare();
    expect(fleet.failures).toEqual([]);
    // Claims of servers that were killed: the next request takes them over.
    await prisma.storageVariant.deleteMany({ where: { result: null } });
    expect(await examine(crowd, fleet)).toEqual(sound);
    await fleet.stop();
  },
  scale.limit,
);
