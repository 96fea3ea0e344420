import { beforeAll, describe, expect, test } from "vitest";
import { api } from "../caller";
import { eventually } from "../eventually";
import { account } from "./administrator";

let calls: Awaited<ReturnType<typeof account>>["api"]["dashboard"]["calls"];

beforeAll(async () => {
  calls = (await account({ isAdmin: true })).api.dashboard.calls;
});

/** Returns the calls that match, once they are in the log, which takes a moment. */
async function listed(filter: Parameters<typeof calls.list>[0], count: number) {
  return eventually(async () => {
    const { calls: found } = await calls.list(filter);
    expect(found).toHaveLength(count);
    return found;
  });
}

describe("calls", () => {
  test("by function, outcome and text, and what one request did; looking at them leaves none", async () => {
    await api.messages.sendMessage({ author: "a", body: "b" });
    await expect(api.messages.sendImage({ storageId: "<b>no id</b>", author: "a" })).rejects.toThrow();
    expect(await listed({ function: "messages.sendMessage" }, 1)).toMatchObject([{ outcome: "ok", kind: "mutation" }]);
    const [failed] = await listed({ outcome: "error" }, 1);
    expect(failed).toMatchObject({ function: "messages.sendImage", outcome: "BAD_REQUEST" });
    expect(await listed({ text: "<b>NO ID" }, 1)).toEqual([failed]);
    const request = await calls.request({ requestId: failed?.requestId ?? "" });
    expect(request.calls).toContainEqual(failed);
    expect(request.lines).toEqual([]);
    await listed({}, 2);
  });

  test("a cursor that is none, BAD_REQUEST", async () => {
    await expect(calls.list({ before: "x" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("stats, one figure for each span, the latest last", async () => {
    await api.messages.list();
    await eventually(async () => {
      const stats = await calls.stats({ function: "messages.list", hours: 1, buckets: 60 });
      expect(stats).toHaveLength(60);
      expect(stats.slice(-2).reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
    });
  });
});
