import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { yourFiles } from "../../e2e/demos/files";
import { expect, test } from "../../e2e/demos/test";

let folder: string;
test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "many-files-"));
});
test.afterAll(() => rm(folder, { recursive: true }));

const changed = (page: Page) => page.getByText("This file was changed, moved or deleted while it was sent");

/** Drops a folder on the page, as a person does. */
async function drop(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await session.send("Input.dispatchDragEvent", { type, x: 200, y: 300, data });
  }
}

test("files of a dropped folder keep their paths", async ({ visit }) => {
  const rome = join(folder, "rome");
  await mkdir(join(rome, "day 1"), { recursive: true });
  await writeFile(join(rome, "notes.txt"), "notes");
  await writeFile(join(rome, "day 1", "notes.txt"), "other notes");
  const page = await visit({ url: "/files" });
  await expect(page.getByText("Drop files of any type")).toBeVisible();
  await drop(page, rome);
  await expect(yourFiles(page).getByRole("link", { name: "rome/notes.txt", exact: true })).toBeVisible();
  await expect(yourFiles(page).getByRole("link", { name: "rome/day 1/notes.txt", exact: true })).toBeVisible();
});

test("of five thousand files the page lists the first hundred, and all can be cancelled", async ({ visit }) => {
  const many = join(folder, "many");
  await mkdir(many);
  for (let n = 0; n < 5_000; n++) await writeFile(join(many, `${n}.txt`), `${n}`);
  const page = await visit({ url: "/files" });
  await page.route("**/api/trpc/*generateUploadUrl*", () => undefined);
  await drop(page, many);
  await expect(page.getByText("and 4900 more")).toBeVisible();
  await expect(page.getByRole("list", { name: "Uploads" }).getByRole("listitem")).toHaveCount(100);
  await page.getByRole("button", { name: "Cancel all" }).click();
  await expect(page.getByRole("list", { name: "Uploads" })).toBeHidden();
});

test.describe("a file that changes", () => {
  test.use({ expectedInConsole: /Failed to load resource|ERR_/ });

  for (const [kind, size] of [
    ["small", 1_000],
    ["large", 5_000_000],
  ] as const) {
    test(`while it is sent is named so, and not taken for a lost connection: a ${kind} one`, async ({ visit }) => {
      const path = join(folder, `${kind}.bin`);
      await writeFile(path, Buffer.alloc(size));
      const page = await visit({ url: "/files" });
      await page.route("**/api/trpc/*generateUploadUrl*", async (route) => {
        await writeFile(path, Buffer.alloc(size, 1));
        await utimes(path, 1, 1);
        await route.continue();
      });
      await page.locator("input[type=file]").first().setInputFiles(path);
      await expect(changed(page)).toBeVisible();
      await expect(page.getByRole("button", { name: /Try again/ })).toBeHidden();
    });
  }

  test("before it is sent, too", async ({ visit }) => {
    const path = join(folder, "gone.bin");
    await writeFile(path, Buffer.alloc(5_000_000));
    const page = await visit({ url: "/files" });
    await page.evaluate(() =>
      Object.defineProperty(Blob.prototype, "arrayBuffer", {
        value: () => Promise.reject(new DOMException("", "NotFoundError")),
      }),
    );
    await page.locator("input[type=file]").first().setInputFiles(path);
    await expect(changed(page)).toBeVisible();
  });
});
