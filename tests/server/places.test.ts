import { expect, test } from "vitest";
import { createPlaces } from "~/server/places";

/** Work that lasts until it is let go. */
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
