import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { eventually } from "../eventually";
import { type BundledServer, bundleServer } from "./server-process";

let bundled: BundledServer;

beforeAll(async () => {
  bundled = await bundleServer();
}, 60_000);

afterAll(() => bundled.remove());

/** Starts a server that runs an action of so many milliseconds, and asks it to end in the middle of it. */
async function stopDuring(milliseconds: number, settings: Record<string, string> = {}) {
  const server = await bundled.launch(settings);
  const { id } = await prisma.scheduledFunction.create({
    data: { name: "crash.slowAction", args: { json: { n: milliseconds, milliseconds } }, scheduledTime: new Date() },
  });
  const job = () => prisma.scheduledFunction.findUniqueOrThrow({ where: { id } });
  await eventually(async () => expect(await job()).toMatchObject({ state: "inProgress" }));
  const late = await prisma.scheduledFunction.create({
    data: {
      name: "crash.countMutation",
      args: { json: { n: milliseconds } },
      scheduledTime: new Date(Date.now() + 300),
    },
  });
  const exit = once(server.child, "exit");
  server.child.kill("SIGTERM");
  const [code] = await exit;
  const { state: lateState } = await prisma.scheduledFunction.findUniqueOrThrow({ where: { id: late.id } });
  await prisma.scheduledFunction.delete({ where: { id: late.id } });
  return { code, job: await job(), errors: server.errors(), lateState };
}

test("SIGTERM during an action: the process waits for it, and starts nothing new", async () => {
  const { code, job, lateState } = await stopDuring(2_000);
  expect([code, job.state, lateState]).toEqual([143, "success", "pending"]);
  expect(await prisma.message.count({ where: { author: "action", body: "2000" } })).toBe(1);
});

test("SIGTERM during an action that takes longer than STOP_TIMEOUT: it is given up, by name", async () => {
  const { code, job, errors } = await stopDuring(15_000, { STOP_TIMEOUT: "300" });
  expect([code, job]).toMatchObject([1, { state: "failed", error: "The server stopped before it had ended" }]);
  expect(errors).toContain(`job ${job.id} (crash.slowAction)`);
});
