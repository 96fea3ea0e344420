import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { cloudStores } from "../../e2e/demos/stores";
import { expect, test } from "../../e2e/demos/test";
import { type App, freePort, startApp } from "../../kit/e2e/app";
import { startFront } from "../../kit/e2e/front";

test.use({ expectedInConsole: /Failed to load resource|ERR_/ });

const mebibyte = 1024 * 1024;
/** Size of the film in bytes. `LARGE_FILE_MB=300` sets a size that takes a while. */
const size = Number(process.env.LARGE_FILE_MB ?? 24) * mebibyte + 12_345;

let folder: string;
let film: string;
let sha256: string;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resume-"));
  film = join(folder, "film.mp4");
  const bytes = randomBytes(size);
  sha256 = createHash("sha256").update(bytes).digest("hex");
  await writeFile(film, bytes);
});
test.afterAll(() => rm(folder, { recursive: true }));

const choose = (page: Page) => page.locator("input[type=file]").first().setInputFiles(film);

async function expectOneFile(page: Page, app: App): Promise<void> {
  // The list of uploads shows the name as well, so the test waits for the list of files.
  const files = page.getByRole("region", { name: "Your files" });
  await expect(files.getByText("film.mp4")).toBeVisible({ timeout: 120_000 });
  await expect(page.getByRole("progressbar")).toBeHidden({ timeout: 120_000 });
  const { rows } = await app.database.query('SELECT "sha256", "size" FROM "_storage"');
  expect(rows).toEqual([{ sha256, size: String(size) }]);
  const { rows: left } = await app.database.query('SELECT 1 FROM "_unfinished_uploads"');
  expect(left).toEqual([]);
}

test("an upload to the disk continues after cut lines, through a proxy with a limit, and after a reload", async ({
  browser,
}) => {
  test.setTimeout(300_000);
  const frontOrigin = `http://localhost:${await freePort()}`;
  const app = await startApp({ APP_ORIGIN: frontOrigin });
  // The front accepts no more than 5 MiB in one request.
  const front = await startFront(frontOrigin, [app.origin], 5 * mebibyte);
  const context = await browser.newContext({ baseURL: frontOrigin });
  const page = await context.newPage();
  /** Where each request began, and where the server said that the upload had stopped. */
  const begins: number[] = [];
  let acknowledged = 0;
  let again = 0;
  page.on("response", (response) => {
    const offset = response.headers()["upload-offset"];
    if (offset) acknowledged = Math.max(acknowledged, Number(offset));
  });
  let cuts = 3;
  let isHeld = false;
  await page.route("**/api/storage/upload?*", async (route) => {
    const request = route.request();
    if (request.method() !== "PATCH") return route.continue();
    const offset = Number(request.headers()["upload-offset"]);
    if (offset < acknowledged) again += 1;
    begins.push(offset);
    if (isHeld) return;
    if (offset > 0 && cuts-- > 0) return route.abort("connectionreset");
    await route.continue();
  });

  await page.goto("/files");
  await choose(page);
  await expect(page.getByRole("progressbar")).toBeVisible();
  await expect.poll(() => cuts, { timeout: 60_000 }).toBeLessThanOrEqual(0);
  await page.getByRole("button", { name: "Pause film.mp4" }).click();
  await expect(page.getByText("Paused")).toBeVisible();

  // The upload continues after a pause, and in one tab only.
  isHeld = true;
  await page.getByRole("button", { name: "Continue film.mp4" }).click();
  await expect(page.getByRole("button", { name: "Pause film.mp4" })).toBeVisible();
  const other = await context.newPage();
  await other.goto("/files");
  await choose(other);
  await expect(other.getByText("Another tab uploads this file")).toBeVisible();
  await other.close();
  await page.getByRole("button", { name: "Pause film.mp4" }).click();
  await expect(page.getByText("Paused")).toBeVisible();
  isHeld = false;

  const before = begins.length;
  await page.reload();
  await expect(page.getByText("Choose the same file again")).toBeVisible();
  await choose(page);
  await expectOneFile(page, app);
  expect(begins[before]).toBeGreaterThan(0);
  expect(again).toBe(0);
  await expect(page.getByText("Choose the same file again")).toBeHidden();

  await context.close();
  await front.stop();
  await app.stop();
});

for (const [name, open] of Object.entries(cloudStores)) {
  test(`an upload to ${name} goes on after cut lines and a reload`, async ({ browser }) => {
    test.setTimeout(300_000);
    const { standIn, settings } = await open();
    const app = await startApp(settings);
    const context = await browser.newContext({ baseURL: app.origin });
    // S3 takes a small film in one request when the page can hash it. Pages without HTTPS cannot.
    await context.addInitScript(() => Object.defineProperty(crypto, "subtle", { value: undefined }));
    const page = await context.newPage();
    let cuts = 3;
    let isDown = false;
    let taken = 0;
    standIn.intercept = ({ headers }) => {
      if (!(Number(headers["content-length"]) > mebibyte)) return undefined;
      if (isDown || cuts-- > 0) return "cut";
      taken += 1;
      // The other parts wait for the next page.
      isDown = true;
      return undefined;
    };
    await page.goto("/files");
    await choose(page);
    await expect.poll(() => taken, { timeout: 60_000 }).toBe(1);
    await page.reload();
    standIn.intercept = () => undefined;
    await expect(page.getByText("Choose the same file again")).toBeVisible();
    await choose(page);
    await expectOneFile(page, app);

    await context.close();
    await app.stop();
    await standIn.stop();
  });
}
