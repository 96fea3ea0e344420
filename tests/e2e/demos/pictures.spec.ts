import type { Page, Route } from "@playwright/test";
import { choose, expectWidths, messageBox, messages, pictures, say } from "./chat";
import { largePicture, picture } from "./pictures";
import { apiOf, expect, test } from "./test";

/** Records what moved on the page without an action of the visitor, as Chromium reports it. The sum is CLS. */
function layoutShifts(page: Page): Promise<unknown[]> {
  return page.evaluate(() => {
    const observer = new PerformanceObserver(() => undefined);
    observer.observe({ type: "layout-shift", buffered: true });
    return observer.takeRecords().map((entry) => entry.toJSON());
  });
}

test("three pictures chosen at once are sent in their order, shown to everyone and after a reload", async ({
  visit,
}) => {
  const ada = await visit({ name: "Ada" });
  const ben = await visit({ name: "Ben" });
  await say(ada, "Three pictures");
  // The first takes the longest to arrive.
  await choose(
    ada,
    largePicture("first.png"),
    picture("second.png", { width: 20 }),
    picture("third.png", { width: 30 }),
  );
  await expectWidths(ada, [1000, 20, 30]);
  await expectWidths(ben, [1000, 20, 30]);
  await ada.reload();
  await expectWidths(ada, [1000, 20, 30]);
  await expect(pictures(ada, "Ada")).toHaveCount(3);
});

test("of many pictures three are sent at a time", async ({ visit }) => {
  const page = await visit();
  const held: Route[] = [];
  let holds = true;
  await page.route("**/api/storage/upload*", (route) => (holds ? void held.push(route) : route.continue()));
  await choose(page, ...[1, 2, 3, 4, 5].map((width) => picture(`${width}.png`, { width })));
  await expect.poll(() => held.length).toBe(3);
  await expect(messages(page).getByText("Waiting")).toHaveCount(2);
  await held.shift()?.continue();
  await expect(messages(page).getByText("Waiting")).toHaveCount(1);
  await expect.poll(() => held.length).toBe(3);
  holds = false;
  for (const route of held) await route.continue();
  await expectWidths(page, [1, 2, 3, 4, 5]);
});

test("pictures dropped anywhere on the page are sent", async ({ visit }) => {
  const page = await visit();
  await expect(page.getByRole("button", { name: /^Your name/ })).toBeVisible();
  const files = [picture("a.png", { width: 11 }), picture("b.png", { width: 22 })];
  const transfer = await page.evaluateHandle(
    (dropped) => {
      const data = new DataTransfer();
      for (const { name, mimeType, bytes } of dropped)
        data.items.add(new File([new Uint8Array(bytes)], name, { type: mimeType }));
      return data;
    },
    files.map(({ name, mimeType, buffer }) => ({ name, mimeType, bytes: [...buffer] })),
  );
  const header = page.getByRole("heading", { name: "Chat" });
  await header.dispatchEvent("dragenter", { dataTransfer: transfer });
  await header.dispatchEvent("dragover", { dataTransfer: transfer });
  await expect(page.getByText("Drop pictures to send them")).toBeVisible();
  await header.dispatchEvent("drop", { dataTransfer: transfer });
  await expect(page.getByText("Drop pictures to send them")).toBeHidden();
  await expectWidths(page, [11, 22]);
});

test("a picture pasted from the clipboard is sent", async ({ visit }) => {
  const page = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.evaluate(
    async (bytes) => {
      const blob = new Blob([new Uint8Array(bytes)], { type: "image/png" });
      await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    },
    [...picture("copied.png", { width: 77 }).buffer],
  );
  await messageBox(page).press("ControlOrMeta+v");
  await expectWidths(page, [77]);
  await expect(messageBox(page)).toHaveValue("");
});

test("pasted text goes into the message", async ({ visit }) => {
  const page = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.evaluate(() => navigator.clipboard.writeText("just words"));
  await messageBox(page).press("ControlOrMeta+v");
  await expect(messageBox(page)).toHaveValue("just words");
});

test("a picture opens large and closes again, with the focus back where it was", async ({ visit }) => {
  const page = await visit({ name: "Ada" });
  await choose(page, picture("large.png", { width: 640, height: 480 }));
  const thumbnail = messages(page).getByRole("button", { name: "Image from Ada" });
  await thumbnail.click();
  const dialog = page.getByRole("dialog", { name: "Image from Ada" });
  await expect(dialog).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(thumbnail).toBeFocused();
});

test("an upload shows how far it is, and can be cancelled", async ({ visit }) => {
  const page = await visit();
  await expect(page.getByRole("button", { name: /^Your name/ })).toBeVisible();
  const devtools = await page.context().newCDPSession(page);
  const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 200_000 };
  await devtools.send("Network.emulateNetworkConditions", slow);
  await choose(page, largePicture("slow.png", { height: 2000 }));

  const progress = page.getByRole("progressbar", { name: "Sending slow.png" });
  await expect(progress).toHaveAttribute("aria-valuetext", /^[1-9]\d?%$/);
  const sent = Number(await progress.getAttribute("aria-valuenow"));
  await expect.poll(async () => Number(await progress.getAttribute("aria-valuenow"))).toBeGreaterThan(sent);
  await page.getByRole("button", { name: "Cancel slow.png" }).click();
  await expect(progress).toBeHidden();
  await expect(messages(page)).toBeFocused();
  await say(page, "Never mind");
  await expect(pictures(page)).toHaveCount(0);
});

test.describe("pictures that cannot be shown", () => {
  // No smaller image can be made of a file that is not an image.
  test.use({ expectedInConsole: /status of 422/ });

  test("a deleted picture leaves a quiet placeholder, and so does one that is none", async ({ visit }) => {
    const page = await visit();
    await choose(page, picture("gone.png", { width: 64 }));
    await expectWidths(page, [64]);
    const api = await apiOf(page);
    const [message] = (await api.messages.list.query({})).page;
    const storageId = message?.storageId ?? "";
    await api.files.saveFile.mutate({ storageId, name: "gone.png" });
    await api.files.delete.mutate({ storageId });
    await choose(page, { name: "fake.png", mimeType: "image/png", buffer: Buffer.from("not a picture") });
    await expect(messages(page).getByText("This picture was deleted")).toBeVisible();
    await expect(messages(page).getByText("This picture cannot be shown")).toBeVisible();
    await page.reload();
    await expect(messages(page).getByText("This picture was deleted")).toBeVisible();
    await expect(messages(page).getByText("This picture cannot be shown")).toBeVisible();
  });
});

test("nothing on the page moves while it loads, and no picture when messages come", async ({ visit }) => {
  const sender = await visit();
  await choose(sender, ...[10, 11, 12, 13, 14].map((width) => picture(`${width}.png`, { width, height: 400 })));
  await expectWidths(sender, [10, 11, 12, 13, 14]);

  const page = await visit();
  const held: Route[] = [];
  await page.route("**/api/storage/**", (route) => void held.push(route));
  await page.reload({ waitUntil: "domcontentloaded" });
  await expect(page.getByRole("button", { name: /^Your name/ })).toBeVisible();
  await expect.poll(() => held.length).toBe(5);
  for (const route of held) await route.continue();
  await expectWidths(page, [10, 11, 12, 13, 14]);
  await say(sender, "And a text");
  await expect(messages(page).getByText("And a text")).toBeVisible();
  expect(await layoutShifts(page)).toEqual([]);
  expect(await layoutShifts(sender)).toEqual([]);
});

test("a picture has its own shape from the moment it is chosen, for everyone, and nothing moves", async ({ visit }) => {
  const [sender, reader] = [await visit(), await visit()];
  const held: Route[] = [];
  await sender.route("**/api/storage/upload*", (route) => void held.push(route));
  await choose(
    sender,
    picture("tall.png", { width: 30, height: 40 }),
    picture("square.png", { width: 20, height: 20 }),
  );
  const shapes = (page: Page) =>
    messages(page)
      .locator(".picture-frame")
      .evaluateAll((frames) => frames.map(({ clientWidth, clientHeight }) => (clientWidth / clientHeight).toFixed(2)));
  await expect.poll(() => held.length).toBe(2);
  expect(await shapes(sender)).toEqual(["0.75", "1.00"]);
  for (const route of held) await route.continue();
  await expectWidths(sender, [30, 20]);
  await expectWidths(reader, [30, 20]);
  for (const page of [sender, reader]) {
    expect(await shapes(page)).toEqual(["0.75", "1.00"]);
    expect(await layoutShifts(page)).toEqual([]);
  }
});
