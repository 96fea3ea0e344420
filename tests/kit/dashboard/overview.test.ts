import { beforeAll, describe, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { env } from "~/kit/process/env";
import { api } from "../caller";
import { eventually } from "../eventually";
import { account } from "./administrator";

let dashboard: Awaited<ReturnType<typeof account>>["api"]["dashboard"];

beforeAll(async () => {
  dashboard = (await account({ isAdmin: true })).api.dashboard;
});

describe("the overview", () => {
  test("counts calls, and takes a refusal for no error", async () => {
    await api.messages.list();
    await expect(api.messages.sendImage({ storageId: "no id", author: "a" })).rejects.toThrow();
    await eventually(async () => {
      expect(await dashboard.overview()).toMatchObject({ calls: 2, errors: 0, problems: [] });
    });
    expect((await dashboard.calls.list({ outcome: "failed" })).calls).toEqual([]);
  });

  test("names functions that fail, and jobs that failed or do not begin", async () => {
    const minute = new Date(Math.floor(Date.now() / 60_000) * 60_000);
    await prisma.callCount.create({ data: { function: "a.b", minute, duration: 1, calls: 3, errors: 2 } });
    const scheduledTime = new Date(Date.now() - 120_000);
    const job = { name: "a.b", args: {}, scheduledTime };
    await prisma.scheduledFunction.createMany({
      data: [
        { ...job, state: "pending" },
        { ...job, state: "pending", retryAt: new Date(Date.now() + 60_000) },
        { ...job, state: "failed", completedTime: scheduledTime },
      ],
    });
    const { problems, jobs } = await dashboard.overview();
    expect(jobs).toEqual({ pending: 2, running: 0, overdue: 1, failed: 1 });
    expect(problems).toEqual([
      { text: "a.b failed 2 times in the last hour.", href: "/dashboard/logs?function=a.b&outcome=failed" },
      { text: "1 job failed in the last day.", href: "/dashboard/schedule?list=failed" },
      { text: expect.stringContaining("1 job should have begun"), href: "/dashboard/schedule" },
    ]);
  });
});

describe("settings", () => {
  test("show values in force, and of secrets only how long they are", async () => {
    const shown = await dashboard.settings.list();
    const text = JSON.stringify(shown);
    for (const secret of env.APP_SECRET) expect(text).not.toContain(secret);
    const { password, username } = new URL(env.DATABASE_URL);
    for (const part of [password, `${username}:`].filter((part) => part.length > 1)) expect(text).not.toContain(part);
    const setting = (name: string) => shown.settings.find((each) => each.name === name);
    expect(setting("APP_SECRET")).toMatchObject({
      isSecret: true,
      isSet: true,
      value: expect.stringMatching(/characters$/),
    });
    expect(setting("SMTP_URL")).toMatchObject({ isSecret: false, isSet: false, value: null });
    expect(setting("STOP_TIMEOUT")).toMatchObject({ isSecret: false, isSet: false, value: "25000" });
    expect(setting("STORAGE_DRIVER")).toMatchObject({ isSecret: false, value: "disk" });
    expect(shown.limits).toContainEqual({ name: "batchCalls", value: 10 });
    expect(shown.urls.every(({ url }) => URL.canParse(url))).toBe(true);
  });

  test("describe the app as OpenAPI does", async () => {
    const { openapi, paths } = await dashboard.settings.api();
    expect(openapi).toBe("3.1.0");
    expect(Object.keys(paths)).toContain("/api/run/messages/list");
  });
});
