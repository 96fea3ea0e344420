import type { Route } from "@playwright/test";
import type { App } from "../../kit/e2e/app";
import { messages, say } from "./chat";
import { expect, test } from "./test";

/** Sends "Message 1", "Message 2" and so on, from two authors in turn. */
async function fill({ api }: App, count: number) {
  for (let number = 1; number <= count; number += 1)
    await api.messages.sendMessage.mutate({ author: `Historian ${number % 2}`, body: `Message ${number}` });
}

test("older messages load by scrolling up, to the very first", async ({ app, visit }) => {
  await fill(app, 100);
  const page = await visit();
  await expect(messages(page).getByText("Message 100")).toBeInViewport();
  await expect(messages(page).getByText("Message 1", { exact: true })).not.toBeAttached();
  await messages(page).hover();
  await expect(async () => {
    await page.mouse.wheel(0, -2000);
    await expect(messages(page).getByText("Message 1", { exact: true })).toBeInViewport({ timeout: 200 });
  }).toPass();
  await expect(page.getByText("This is where the conversation begins.")).toBeVisible();
  await expect(messages(page).getByRole("listitem")).toHaveCount(100);
});

test("what is being read stays in its place when older messages load above and new ones come below", async ({
  app,
  visit,
}) => {
  await fill(app, 60);
  const ben = await visit({ name: "Ben" });
  const page = await visit();
  const held: Route[] = [];
  await page.route(/messages\.list.*cursor/, (route) => void held.push(route));
  await messages(page).hover();
  await page.mouse.wheel(0, -5000);
  // Scrolls to the very top.
  const rest = () =>
    messages(page).evaluate(({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - clientHeight + scrollTop);
  await expect.poll(rest).toBeLessThan(1);
  const oldest = messages(page).getByText("Message 31", { exact: true });
  const place = await oldest.boundingBox();
  for (const route of held) await route.continue();
  await page.unroute(/messages\.list.*cursor/);
  await expect(messages(page).getByText("Message 1", { exact: true })).toBeAttached();
  expect(await oldest.boundingBox()).toEqual(place);

  await say(ben, "Something new");
  await expect(page.getByRole("button", { name: "New messages" })).toBeVisible();
  expect(await oldest.boundingBox()).toEqual(place);
  await page.getByRole("button", { name: "New messages" }).click();
  await expect(messages(page).getByText("Something new")).toBeInViewport();
  await expect(messages(page)).toBeFocused();
  await expect(page.getByRole("button", { name: "New messages" })).toBeHidden();
});

test.describe("when they cannot be loaded", () => {
  test.use({ expectedInConsole: /Failed to load resource/ });

  test("older messages are asked for again on demand", async ({ app, visit }) => {
    await fill(app, 40);
    const page = await visit();
    await page.route(/messages\.list.*cursor/, (route) => route.abort());
    await messages(page).hover();
    await page.mouse.wheel(0, -5000);
    const tryAgain = page.getByRole("button", { name: "Try again" });
    await expect(tryAgain).toBeVisible({ timeout: 20_000 });
    await page.unroute(/messages\.list.*cursor/);
    await tryAgain.click();
    await expect(messages(page).getByText("Message 1", { exact: true })).toBeAttached();
  });
});
