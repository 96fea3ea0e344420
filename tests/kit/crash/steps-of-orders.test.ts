import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { createClient } from "./client";
import { startFleet } from "./fleet";
import { endLeases, untilFewerJobsThan } from "./jobs";
import { orderSteps, pointsAround } from "./points";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, orders, orderKills } = scale;
let server: BundledServer;

/** A payment service: charges each idempotency key once, and fails now and then. */
const charges = new Map<string, number>();
const payments = createServer((request, response) => {
  const key = String(request.headers["idempotency-key"]);
  const calls = (charges.get(key) ?? 0) + 1;
  charges.set(key, calls);
  response.writeHead(calls % 3 === 1 ? 503 : 200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ paymentId: `payment of ${key}` }));
});

beforeAll(async () => {
  payments.listen(0, "127.0.0.1");
  await once(payments, "listening");
  server = await bundleServer();
}, 60_000);

afterAll(async () => {
  payments.closeAllConnections();
  payments.close();
  await server.remove();
});

test("the recipe is what the test runs", async () => {
  const recipe = await readFile("docs/recipes/steps.md", "utf8");
  expect(recipe).toContain(await readFile("tests/kit/test-app/functions/orders.ts", "utf8"));
});

test(
  "orders go through their steps over two servers killed meanwhile: each step once, and none is lost",
  async () => {
    report(`Kills servers that work on orders, seed ${seed}`);
    const random = createRandom(seed);
    const points = pointsAround(random.shuffle(orderSteps), orderKills);
    const settings = { PAYMENTS_URL: `http://127.0.0.1:${(payments.address() as AddressInfo).port}` };
    const fleet = startFleet({ ...server, size: 2, random, points, settings });
    const client = createClient(fleet);
    const placed: string[] = [];
    const canceled = new Set<string>();
    const work = async () => {
      while ((placed.length < orders || fleet.kills() < orderKills) && fleet.failures.length === 0) {
        const answer = await client.call("orders.place", { item: "a book" });
        if (answer?.status === 200) placed.push(String(answer.body));
        const orderId = random.chance(0.3) && placed.at(-3);
        if (orderId && (await client.call("orders.cancel", { orderId }))?.body === true) canceled.add(orderId);
        await wakeSleeping();
        await pause(random.below(100));
      }
    };
    await reporting(() => `${fleet.kills()} kills, ${placed.length} orders`, work());
    await fleet.stop();
    expect(fleet.failures).toEqual([]);

    await endLeases();
    const last = startFleet({ ...server, size: 1, random, settings });
    const waking = setInterval(() => void wakeSleeping(), 200);
    await untilFewerJobsThan(1).finally(() => clearInterval(waking));
    const rows = await prisma.order.findMany();
    const ships = await prisma.scheduledFunction.groupBy({
      by: ["args", "state"],
      where: { name: "orders.ship" },
      _count: true,
    });
    expect({
      lost: placed.filter((id) => !rows.some((row) => row.id === id)),
      unfinished: rows.filter(({ state }) => state !== "shipped" && state !== "refunded"),
      canceledAndShipped: rows.filter(({ id, state }) => canceled.has(id) && state === "shipped"),
      shippedUnpaid: rows.filter(({ id, state, paymentId }) => state === "shipped" && paymentId !== `payment of ${id}`),
      shippedTwice: ships.filter(({ state, _count }) => state !== "success" || _count !== 1),
    }).toEqual({ lost: [], unfinished: [], canceledAndShipped: [], shippedUnpaid: [], shippedTwice: [] });
    await last.stop();
  },
  scale.limit,
);

/** A day passes. */
async function wakeSleeping(): Promise<void> {
  await prisma.scheduledFunction.updateMany({
    where: { name: "orders.ship", state: "pending", scheduledTime: { gt: new Date() } },
    data: { scheduledTime: new Date() },
  });
}
