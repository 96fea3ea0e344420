import { createHash, randomBytes } from "node:crypto";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cloudStores } from "../../e2e/demos/stores";
import { expect, test } from "../../e2e/demos/test";
import { freePort, startApp } from "../../kit/e2e/app";
import { startFront } from "../../kit/e2e/front";

/** The largest request body that Vercel accepts. */
const hostLimit = 4_500_000;
const mebibyte = 1024 * 1024;

/** Size of the film in bytes. `LARGE_FILE_MB=300` sets a size that takes a while. */
const size = Number(process.env.LARGE_FILE_MB ?? 20) * mebibyte + 12_345;

for (const [name, open] of Object.entries(cloudStores)) {
  test(`behind a host that refuses large bodies, a film goes to ${name}, past a cut connection, and is served in parts`, {
    tag: "@soak",
  }, async ({ browser }) => {
    test.setTimeout(300_000);
    const folder = await mkdtemp(join(tmpdir(), "large-files-"));
    const film = join(folder, "film.mp4");
    const hash = createHash("sha256");
    for (let left = size; left > 0; left -= mebibyte) {
      const piece = randomBytes(Math.min(left, mebibyte));
      hash.update(piece);
      await appendFile(film, piece);
    }
    const { standIn, settings } = await open();
    const frontOrigin = `http://localhost:${await freePort()}`;
    const app = await startApp({ ...settings, APP_ORIGIN: frontOrigin });
    const front = await startFront(frontOrigin, [app.origin], hostLimit);
    const context = await browser.newContext({ baseURL: frontOrigin });
    const page = await context.newPage();

    let sent = 0;
    standIn.intercept = ({ method, headers }) => {
      const isPart = method !== "GET" && Number(headers["content-length"]) > mebibyte;
      if (!isPart) return undefined;
      sent += 1;
      return sent === 1 ? "cut" : undefined;
    };
    await page.goto("/files");
    await page.locator("input[type=file]").first().setInputFiles(film);
    await expect(page.getByRole("progressbar")).toBeVisible();
    await expect(page.getByRole("region", { name: "Your files" }).getByText("film.mp4")).toBeVisible({
      timeout: 240_000,
    });
    await expect(page.getByRole("progressbar")).toBeHidden({ timeout: 240_000 });
    expect(sent).toBeGreaterThan(1);

    const { rows } = await app.database.query('SELECT "_id", "sha256", "size" FROM "_storage"');
    expect(rows).toEqual([{ _id: expect.any(String), sha256: hash.digest("hex"), size: String(size) }]);
    const input = JSON.stringify({ json: { storageId: rows[0]._id } });
    const asked = await page.request.get("/api/trpc/files.getUrl", { params: { input } });
    const part = await fetch((await asked.json()).result.data.json, { headers: { range: `bytes=${size - 100}-` } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 100]);

    await context.close();
    await front.stop();
    await app.stop();
    await standIn.stop();
    await rm(folder, { recursive: true });
  });
}
