import AxeBuilder from "@axe-core/playwright";
import { devices, type Page } from "@playwright/test";
import { choose, expectWidths, messageBox, messages, pictures, say } from "./chat";
import { picture } from "./pictures";
import { expect, test } from "./test";

async function expectNoViolations(page: Page) {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  expect(violations).toEqual([]);
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing to object to in ${colorScheme} mode`, async ({ visit }) => {
    const page = await visit({ colorScheme, name: "Ada" });
    await expectNoViolations(page);
    await say(page, "A text");
    await choose(page, picture("a.png"), { name: "b.txt", mimeType: "text/plain", buffer: Buffer.from("b") });
    await expect(pictures(page)).toHaveCount(1);
    await page.route("**/api/storage/upload*", () => undefined);
    await choose(page, picture("waiting.png"));
    await expect(page.getByRole("progressbar")).toBeVisible();
    await expectNoViolations(page);
    await messages(page).getByRole("button", { name: "Image from Ada" }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await expectNoViolations(page);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /^Your name/ }).click();
    await expect(page.getByLabel("Your name", { exact: true })).toBeFocused();
    await expectNoViolations(page);
  });
}

test("the page follows the visitor's colour scheme", async ({ visit }) => {
  // The first number of `lab(…)` and `oklch(…)`.
  const lightness = (page: Page) =>
    page.evaluate(() => Number(/[\d.]+/.exec(getComputedStyle(document.body).backgroundColor)?.[0]));
  const light = await lightness(await visit({ colorScheme: "light" }));
  const dark = await lightness(await visit({ colorScheme: "dark" }));
  expect(dark).toBeLessThan(light / 4);
});

test("everything can be done with the keyboard alone", async ({ visit }) => {
  const page = await visit({ name: "Ada" });
  await expect(page.getByRole("button", { name: /^Your name/ })).toBeVisible();
  const focused = page.locator(":focus");

  await page.keyboard.press("Tab");
  await expect(focused).toHaveAccessibleName("Your name: Ada. Change it");
  await page.keyboard.press("Enter");
  await page.keyboard.type("Grace");
  await page.keyboard.press("Enter");
  await expect(focused).toHaveAccessibleName("Your name: Grace. Change it");
  await page.keyboard.press("Tab");
  await expect(messages(page)).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(focused).toHaveAccessibleName("Send pictures");
  const chooser = page.waitForEvent("filechooser");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles([picture("a.png", { width: 41 })]);
  await expectWidths(page, [41]);
  await page.keyboard.press("Tab");
  await page.keyboard.type("Typed");
  await page.keyboard.press("Enter");
  await expect(messages(page).getByText("Typed")).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(focused).toHaveAccessibleName("Send message");

  await messages(page).focus();
  await page.keyboard.press("Tab");
  await expect(focused).toHaveAccessibleName("Image from Grace");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(focused).toHaveAccessibleName("Image from Grace");
});

test("new messages are read to screen readers, older ones and percentages are not", async ({ visit }) => {
  const page = await visit();
  await expect(messages(page)).toHaveAttribute("aria-live", "polite");
  await expect(messages(page)).toHaveAttribute("aria-relevant", "additions");
  await page.route("**/api/storage/upload*", () => undefined);
  await choose(page, picture("waiting.png"));
  await expect(page.locator("[aria-live=off]").getByRole("progressbar")).toBeVisible();
});

test("on a phone everything fits, is large enough to touch, and nothing zooms", async ({ visit }) => {
  const page = await visit(devices["iPhone 14"]);
  await messageBox(page).tap();
  await messageBox(page).fill("From my phone, a message that is so long that it has to be broken into several lines");
  await page.getByRole("button", { name: "Send message" }).tap();
  await choose(page, picture("a.png", { width: 51 }));
  await expectWidths(page, [51]);

  const scrollWidth = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(scrollWidth).toBeLessThanOrEqual(page.viewportSize()?.width ?? 0);
  await expect(messageBox(page)).toBeInViewport({ ratio: 1 });
  // Safari zooms into fields with smaller text.
  await expect(messageBox(page)).toHaveCSS("font-size", "16px");
  for (const button of await page.getByRole("button").all()) {
    const box = await button.boundingBox();
    expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(44);
  }
});
