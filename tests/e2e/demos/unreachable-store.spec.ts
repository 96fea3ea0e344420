import { randomBytes } from "node:crypto";
import { startApp } from "../../kit/e2e/app";
import { text, upload } from "./files";
import { cloudStores } from "./stores";
import { expect, test } from "./test";

const film = { name: "film.mp4", mimeType: "video/mp4", buffer: randomBytes(20 * 1024 * 1024) };

for (const [what, why] of [
  ["does not allow the page", "Add that origin to its CORS rules"],
  ["is blocked", "browsers do not trust its certificate"],
] as const) {
  test(`a file goes through the app when the store ${what}, and an administrator is told why`, async ({ browser }) => {
    test.setTimeout(120_000);
    const { standIn, settings } = await cloudStores.S3();
    const app = await startApp(settings);
    const context = await browser.newContext({ baseURL: app.origin });
    const page = await context.newPage();
    const parts: number[] = [];
    standIn.intercept = ({ method, headers }) => {
      if (headers.origin && method === "PUT") parts.push(1);
      return what.includes("allow") && method === "OPTIONS" ? 403 : undefined;
    };
    if (what.includes("blocked")) await page.route(`${standIn.url}/**`, (route) => route.abort());
    await page.goto("/files");
    await upload(page, text("small.txt"));
    await app.database.query('UPDATE "_users" SET "isAdmin" = true');

    // The file is sent slowly, so that the reason is seen.
    await page.route("**/api/storage/upload?*", async (route) => {
      if (route.request().method() === "PATCH") await expect(page.getByText(why)).toBeVisible();
      await route.continue();
    });
    await page.locator("input[type=file]").first().setInputFiles(film);
    await expect(page.getByRole("link", { name: "film.mp4", exact: true })).toBeVisible({ timeout: 60_000 });
    expect(parts).toEqual([]);
    const { rows } = await app.database.query('SELECT "size"::int FROM "_storage" ORDER BY "size" DESC');
    expect(rows[0]).toEqual({ size: film.buffer.length });
    const { rows: left } = await app.database.query('SELECT "blobKey" FROM "_unowned_blobs"');
    expect(left).toEqual([]);

    await context.close();
    await app.stop();
    await standIn.stop();
  });
}
