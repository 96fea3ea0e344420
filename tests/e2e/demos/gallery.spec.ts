import type { Locator, Page } from "@playwright/test";
import { confirmDeletion, text } from "./files";
import { picture, type TestFile } from "./pictures";
import { expect, test } from "./test";

const url = "/gallery";

const tiles = (page: Page) => page.getByRole("list", { name: "Your images" }).getByRole("listitem");
const naturalSize = (image: Locator) =>
  image.evaluate((element) =>
    element instanceof HTMLImageElement ? [element.naturalWidth, element.naturalHeight] : null,
  );

async function choose(page: Page, ...files: TestFile[]) {
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Add images" }).click();
  await (await chooser).setFiles(files);
}

test("images get titles and are shown as squares; they open large and are deleted", async ({ visit }) => {
  const page = await visit({ url });
  await expect(page.getByText("No images yet")).toBeVisible();
  await choose(
    page,
    picture("IMG_1.png", { width: 640, height: 480 }),
    picture("IMG_2.png", { width: 30, height: 90 }),
  );
  await page.getByRole("textbox", { name: "Title of IMG_1.png" }).fill("The hut");
  await page.getByRole("button", { name: "Add 2 images" }).click();
  await expect(tiles(page)).toHaveText([/IMG_2/, /The hut/]);
  for (const title of ["The hut", "IMG_2"]) {
    const thumbnail = page.getByRole("button", { name: `Open ${title}` }).locator("img");
    const ratio = async () => {
      const [width = 0, height = 0] = (await naturalSize(thumbnail)) ?? [];
      return width / height;
    };
    await expect.poll(ratio).toBe(1);
  }

  await page.getByRole("button", { name: "Open The hut" }).click();
  const large = page.getByRole("dialog", { name: "The hut" }).locator("img");
  await expect.poll(() => naturalSize(large)).toEqual([640, 480]);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Open The hut" })).toBeFocused();

  await page.getByRole("button", { name: "Delete The hut" }).click();
  await confirmDeletion(page);
  await page.reload();
  await expect(tiles(page)).toHaveText([/IMG_2/]);
});

test("an image's visitor alone sees it", async ({ visit }) => {
  const ada = await visit({ url });
  await choose(ada, picture("secret.png"));
  await addOne(ada);
  await expect(tiles(ada)).toHaveText([/secret/]);
  const ben = await visit({ url });
  await expect(ben.getByText("No images yet")).toBeVisible();
});

test("what is no image that can be shown is refused before it is sent", async ({ visit }) => {
  const page = await visit({ url });
  const svg = { name: "drawing.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg/>") };
  await choose(page, svg, text("notes.txt"), picture("good.png"));
  await page.getByRole("button", { name: "Add 3 images" }).click();
  for (const name of ["drawing.svg", "notes.txt"])
    await expect(page.getByRole("alert").filter({ hasText: name })).toContainText("Only JPEG, PNG, GIF");
  await expect(page.getByRole("button", { name: "Open good" })).toBeVisible();
  await page.getByRole("button", { name: "Remove drawing.svg" }).click();
  await page.getByRole("button", { name: "Remove notes.txt" }).click();
  await expect(tiles(page)).toHaveText([/good/]);
});

test.describe("what the server refuses", () => {
  test.use({ expectedInConsole: /Failed to load resource/ });

  test("is explained: bytes that are no image, addresses that are not public", async ({ visit }) => {
    const page = await visit({ url });
    await choose(page, { name: "fake.png", mimeType: "image/png", buffer: Buffer.from("not a picture") });
    await addOne(page);
    await expect(page.getByRole("alert").filter({ hasText: "fake.png" })).toContainText("its bytes are not an image");

    await page.getByRole("button", { name: "Add from the web" }).click();
    await page.getByLabel("Address of the image").fill("http://127.0.0.1/secret.png");
    await page.getByRole("button", { name: "Add image", exact: true }).click();
    await expect(page.getByRole("alert").filter({ hasText: "127.0.0.1" })).toContainText("not on the public internet");
  });
});

async function addOne(page: Page) {
  await page.getByRole("button", { name: "Add image", exact: true }).click();
}
