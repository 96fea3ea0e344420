import { describe, expect, test } from "vitest";
import { createFairPlaces, createPlaces } from "~/kit/process/places";

/** Work that lasts until the test ends it. */
function work() {
  let letGo: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return { run: () => done, letGo };
}

test("so much runs at once; what waits follows in its order, also after a failure", async () => {
  const inTurn = createPlaces(2);
  const order: string[] = [];
  const [one, two] = [work(), work()];
  const first = inTurn(async () => {
    await one.run();
    throw new Error("failed");
  });
  const second = inTurn(two.run);
  const rest = ["a", "b", "c"].map((name) => inTurn(async () => void order.push(name)));
  await Promise.resolve();
  expect(order).toEqual([]);
  one.letGo();
  await expect(first).rejects.toThrow("failed");
  await Promise.all(rest);
  expect(order).toEqual(["a", "b", "c"]);
  two.letGo();
  await second;
});

test("more than may wait is refused, until there is room again", async () => {
  const inTurn = createPlaces(1, 1);
  const one = work();
  const running = inTurn(one.run);
  const waiting = inTurn(async () => "waited");
  await expect(inTurn(async () => "refused")).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
  one.letGo();
  await running;
  expect(await waiting).toBe("waited");
  expect(await inTurn(async () => "taken")).toBe("taken");
});

describe("fair places", () => {
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

  test("are given in turns by name: whoever asks once does not wait behind whoever asks a hundred times", async () => {
    const inTurn = createFairPlaces(4, 2, 1_000);
    const order: string[] = [];
    const held = Array.from({ length: 100 }, () => work());
    const flood = held.map((one) => inTurn("eve", () => one.run().then(() => void order.push("eve"))));
    const calls = ["ann", "bob"].map((name) => inTurn(name, async () => void order.push(name)));
    await Promise.all(calls);
    expect(order).toEqual(["ann", "bob"]);
    for (const one of held) one.letGo();
    await Promise.all(flood);
    expect(order).toHaveLength(102);
  });

  test("one name has at most its own, all together at most theirs, and the nameless count as one", async () => {
    const inTurn = createFairPlaces(4, 2, 1_000);
    let running = 0;
    let most = 0;
    const busy = async () => {
      most = Math.max(most, ++running);
      await settle();
      running -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, () => inTurn("eve", busy)));
    expect(most).toBe(2);
    await Promise.all(Array.from({ length: 20 }, () => inTurn("", busy)));
    expect(most).toBe(4);
    await Promise.all(Array.from({ length: 60 }, (_, n) => inTurn(`visitor ${n % 7}`, busy)));
    expect(most).toBe(4);
  });

  test("too many that wait are refused, and a place comes back after a failure", async () => {
    const inTurn = createFairPlaces(1, 1, 1);
    const one = work();
    const first = inTurn("a", () => one.run().then(() => Promise.reject(new Error("failed"))));
    const second = inTurn("b", async () => "b");
    await expect(inTurn("c", async () => "c")).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
    one.letGo();
    await expect(first).rejects.toThrow("failed");
    expect(await second).toBe("b");
  });
});
