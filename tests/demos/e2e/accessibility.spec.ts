import { devices, type Page } from "@playwright/test";
import { choose, expectWidths, messageBox, messages, pictures, say, sent } from "../../e2e/demos/chat";
import { chooseAction, row, text, upload } from "../../e2e/demos/files";
import { picture } from "../../e2e/demos/pictures";
import { expect, test } from "../../e2e/demos/test";
import { expectNoViolations } from "./axe";

// axe looks at everything, many times over.
test.describe.configure({ timeout: 90_000 });

test("axe finds nothing to object to in the chat", async ({ visit }) => {
  const page = await visit({ name: "Ada" });
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
  const name = page.getByRole("button", { name: /^Your name/ });
  await name.click();
  await expect(page.getByLabel("Your name", { exact: true })).toBeFocused();
  await expectNoViolations(page);
  await page.keyboard.press("Escape");
  await expect(name).toBeFocused();
  await page.getByRole("button", { name: "Delete your message “A text”" }).focus();
  await expectNoViolations(page);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await expectNoViolations(page);
});

test("axe finds nothing to object to in the files", async ({ visit }) => {
  const page = await visit({ url: "/files" });
  await expectNoViolations(page);
  await upload(page, picture("photo.png"), text("notes.txt"));
  await page.getByRole("checkbox", { name: "Select photo.png" }).check();
  await page.route("**/api/storage/upload*", () => undefined);
  await page.locator("input[type=file]").setInputFiles(text("waiting.txt"));
  await expect(page.getByRole("progressbar")).toBeVisible();
  await expectNoViolations(page);
  await page.getByRole("button", { name: "More for notes.txt" }).click();
  await expect(page.getByRole("menu")).toBeVisible();
  await expectNoViolations(page);
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await expect(page.getByRole("textbox", { name: "New name of notes.txt" })).toBeFocused();
  await expectNoViolations(page);
  await page.keyboard.press("Escape");
  await chooseAction(page, "notes.txt", "Copy link…");
  await expect(page.getByRole("textbox", { name: "Link" })).toHaveValue(/^http/);
  await expectNoViolations(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await expectNoViolations(page);
});

test("axe finds nothing to object to in gallery, HTTP demo and account", async ({ visit }) => {
  const page = await visit({ url: "/gallery" });
  await expectNoViolations(page);
  await page.locator("input[type=file]").setInputFiles([picture("photo.png"), text("notes.txt")]);
  await expectNoViolations(page);
  await page.getByRole("button", { name: "Add 2 images" }).click();
  await expect(page.getByRole("button", { name: "Open photo" })).toBeVisible();
  await expectNoViolations(page);
  await page.getByRole("button", { name: "Add from the web" }).click();
  await expectNoViolations(page);
  await page.goto("/http-demo");
  await page.getByLabel("Send a picture").setInputFiles(picture("photo.png"));
  await expect(page.getByRole("img", { name: /^Image from/ })).toBeVisible();
  await expectNoViolations(page);
  await page.goto("/sign-in");
  await expectNoViolations(page);
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Name").fill("Ada Lovelace");
  await page.getByLabel("Email").fill("axe@example.com");
  await expectNoViolations(page);
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("button", { name: "Account of Ada Lovelace" }).click();
  await expectNoViolations(page);
});

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
  // Start listening before the key press, because listening takes effect a moment later.
  const chooser = page.waitForEvent("filechooser");
  await expect(page.getByRole("button", { name: /^Your name/ })).toBeVisible();
  const focused = page.locator(":focus");

  for (const name of ["Start", "Chat", "Files", "Gallery", "Your name: Ada. Change it"]) {
    await page.keyboard.press("Tab");
    await expect(focused).toHaveAccessibleName(name);
  }
  await page.keyboard.press("Enter");
  await page.keyboard.type("Grace");
  await page.keyboard.press("Enter");
  await expect(focused).toHaveAccessibleName("Your name: Grace. Change it");
  await page.keyboard.press("Tab");
  await expect(focused).toHaveAccessibleName("Sign in");
  await page.keyboard.press("Tab");
  await expect(messages(page)).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(focused).toHaveAccessibleName("Send pictures");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles([picture("a.png", { width: 41 })]);
  await expectWidths(page, [41]);
  await page.keyboard.press("Tab");
  await page.keyboard.type("Typed");
  await page.keyboard.press("Enter");
  await expect(sent(page).getByText("Typed")).toBeVisible();
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

  await expectToFit(page);
  await expect(messageBox(page)).toBeInViewport({ ratio: 1 });
  // Safari zooms into fields with smaller text.
  await expect(messageBox(page)).toHaveCSS("font-size", "16px");
});

test("on a phone the files fit, and everything can be done with them", async ({ visit }) => {
  const page = await visit({ ...devices["iPhone 14"], url: "/files" });
  await upload(page, text("a-very-long-file-name-without-any-spaces-in-it-that-goes-on-and-on.txt"), text("b.txt"));
  await page.getByRole("checkbox", { name: "Select b.txt" }).tap();
  await expectToFit(page);
  await chooseAction(page, "b.txt", "Rename");
  const field = page.getByRole("textbox", { name: "New name of b.txt" });
  await expect(field).toHaveCSS("font-size", "16px");
  await expectToFit(page);
  await field.fill("c.txt");
  await page.getByRole("button", { name: "Save" }).tap();
  await expect(row(page, "c.txt")).toBeVisible();
  const download = page.waitForEvent("download");
  await chooseAction(page, "c.txt", "Download");
  expect((await download).suggestedFilename()).toBe("c.txt");
});

/** Expects that nothing scrolls sideways, and that everything is large enough for a finger. */
async function expectToFit(page: Page) {
  const scrollWidth = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(scrollWidth).toBeLessThanOrEqual(page.viewportSize()?.width ?? 0);
  for (const button of await page.getByRole("button").all()) {
    const box = await button.boundingBox();
    expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(44);
  }
}
