import { randomBytes } from "node:crypto";
import { text, upload } from "../../e2e/demos/files";
import { cloudStores } from "../../e2e/demos/stores";
import { expect, test } from "../../e2e/demos/test";
import { startApp } from "../../kit/e2e/app";

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

    // Slowly, so that the reason is seen. Intercepting the requests of the page would answer the store's preflights.
    const session = await context.newCDPSession(page);
    const speed = { latency: 0, downloadThroughput: -1, uploadThroughput: 4_000_000 };
    await session.send("Network.emulateNetworkConditions", { offline: false, ...speed });
    await page.locator("input[type=file]").first().setInputFiles(film);
    await expect(page.getByText(why)).toBeVisible();
    await expect(page.getByRole("link", { name: "film.mp4", exact: true })).toBeVisible({ timeout: 60_000 });
    expect(parts).toEqual([]);
    const { rows } = await app.database.query('SELECT "size"::int FROM "_storage" ORDER BY "size" DESC');
    expect(rows[0]).toEqual({ size: film.buffer.length });

    await context.close();
    await app.stop();
    await standIn.stop();
  });
}
