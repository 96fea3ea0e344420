import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { chooseAction, confirmDeletion, row, text, upload, yourFiles } from "./files";
import { picture } from "./pictures";
import { expect, test } from "./test";

const url = "/files";

/** The link that the dialog shows, once it is there. */
async function link(page: Page): Promise<string> {
  const field = page.getByRole("dialog").getByRole("textbox", { name: "Link" });
  await expect(field).toHaveValue(/^http/);
  return field.inputValue();
}

test("files of any type are listed, newest first, with size, type and time", async ({ visit }) => {
  const page = await visit({ url });
  await expect(page.getByText("No files yet")).toBeVisible();
  await upload(page, text("notes.txt", "a".repeat(1234)), { ...picture("photo.png"), mimeType: "image/png" });
  await upload(page, { name: "LICENSE", mimeType: "", buffer: Buffer.from("MIT") });
  await expect(yourFiles(page).getByRole("listitem")).toHaveText([
    /LICENSE.*3 bytes/,
    /photo\.png.*image\/png/,
    /notes\.txt.*text\/plain.*1\.2 kB/,
  ]);
  await expect(row(page, "notes.txt").getByRole("time")).toHaveText(/\d:\d\d/);
  await expect(page.getByText("No files yet")).toBeHidden();
});

test("the server renders the files: they show without JavaScript", async ({ browser, visit }) => {
  const page = await visit({ url });
  await upload(page, text("rendered.txt"));
  const storageState = await page.context().storageState();
  const context = await browser.newContext({ javaScriptEnabled: false, storageState });
  const reader = await context.newPage();
  await reader.goto(page.url());
  await expect(row(reader, "rendered.txt")).toBeVisible();
  await context.close();
});

test("files dropped anywhere on the page are uploaded", async ({ visit }) => {
  const page = await visit({ url });
  const transfer = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    for (const name of ["one.txt", "two.txt"]) data.items.add(new File([name], name, { type: "text/plain" }));
    return data;
  });
  const heading = page.getByRole("heading", { name: "Files" });
  await expect(async () => {
    await heading.dispatchEvent("dragenter", { dataTransfer: transfer });
    await expect(page.getByText("Drop files to keep them here")).toBeVisible({ timeout: 200 });
  }).toPass();
  await heading.dispatchEvent("drop", { dataTransfer: transfer });
  await expect(row(page, "one.txt")).toBeVisible();
  await expect(row(page, "two.txt")).toBeVisible();
});

test("a file is shared by a link with a password, which works without JavaScript, counts, and is taken back", async ({
  browser,
  visit,
}) => {
  const page = await visit({ url });
  await upload(page, text("shared.txt", "the shared text"));
  await chooseAction(page, "shared.txt", "Share…");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Password (optional)").fill("open sesame");
  await dialog.getByLabel("Downloads").fill("1");
  await dialog.getByRole("button", { name: "Make a link" }).click();
  await expect(dialog.getByText("0 of 1 downloads · password")).toBeVisible();
  const address = (await dialog.getByRole("link").getAttribute("href")) ?? "";

  const context = await browser.newContext({ javaScriptEnabled: false });
  const visitor = await context.newPage();
  await visitor.goto(address);
  await visitor.getByLabel("Password").fill("guess");
  await visitor.getByRole("button", { name: "Download" }).click();
  await expect(visitor.getByRole("alert").filter({ hasText: "not the password" })).toBeVisible();
  await visitor.getByLabel("Password").fill("open sesame");
  const begun = visitor.waitForEvent("download");
  await visitor.getByRole("button", { name: "Download" }).click();
  const download = await begun;
  expect(download.suggestedFilename()).toBe("shared.txt");
  expect(await readFile(await download.path(), "utf8")).toBe("the shared text");
  await expect(dialog.getByText("1 of 1 downloads · password")).toBeVisible();

  await dialog.getByRole("button", { name: "Remove the link" }).click();
  await expect(dialog.getByRole("link")).toBeHidden();
  expect((await context.request.get(download.url())).status()).toBe(404);
  await visitor.goto(address);
  await expect(visitor.getByText("This link does not work")).toBeVisible();
  await context.close();
});

test("a held file is being checked, and there is nothing to link to", async ({ app, visit }) => {
  const page = await visit({ url });
  await upload(page, text("held.txt"));
  const held = `UPDATE _storage SET held = true WHERE _id = (SELECT "storageId" FROM files WHERE name = 'held.txt')`;
  await app.database.query(`BEGIN; SET LOCAL session_replication_role = replica; ${held}; COMMIT`);
  await page.reload();
  await expect(row(page, "held.txt").getByText("Being checked")).toBeVisible();
  await page.getByRole("button", { name: "More for held.txt" }).click();
  await expect(page.getByRole("menuitem")).toHaveText(["Details", "Rename", "Delete…"]);
});

test("a file is renamed in its place, with the keyboard alone, and Escape leaves it as it was", async ({ visit }) => {
  const page = await visit({ url });
  await upload(page, text("draft.txt"));
  await page.getByRole("button", { name: "More for draft.txt" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Rename" }).focus();
  await page.keyboard.press("Enter");
  const field = page.getByRole("textbox", { name: "New name of draft.txt" });
  await expect(field).toBeFocused();
  // Without its extension the name is selected.
  await page.keyboard.type("final");
  await page.keyboard.press("Enter");
  await expect(row(page, "final.txt")).toBeVisible();
  await expect(page.getByRole("button", { name: "More for final.txt" })).toBeFocused();

  await chooseAction(page, "final.txt", "Rename");
  await expect(page.getByRole("textbox", { name: "New name of final.txt" })).toBeFocused();
  await page.keyboard.type("never");
  await page.keyboard.press("Escape");
  await expect(row(page, "final.txt")).toBeVisible();
  await page.reload();
  await expect(row(page, "final.txt")).toBeVisible();
});

test("a download has the file's name and bytes", async ({ visit }) => {
  const page = await visit({ url });
  await upload(page, text("größe & co.html", "<b>bold</b>"));
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download größe & co.html" }).click();
  expect((await download).suggestedFilename()).toBe("größe & co.html");
  expect(await readFile(await (await download).path(), "utf8")).toBe("<b>bold</b>");
});

test("links are stable or expire, work for anyone, and until the file is deleted", async ({ visit, playwright }) => {
  const page = await visit({ url, permissions: ["clipboard-read", "clipboard-write"] });
  const anyone = await playwright.request.newContext();
  await upload(page, text("shared.txt", "for everyone"));
  await chooseAction(page, "shared.txt", "Copy link…");
  const links = new Set<string>();
  for (const lifetime of ["As long as the file exists", "For an hour", "For a day", "For a week"]) {
    await page.getByRole("radio", { name: lifetime }).check();
    await page.getByRole("button", { name: "Copy" }).click();
    await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toBe(await link(page));
    expect(await (await anyone.get(copied)).text()).toBe("for everyone");
    links.add(copied);
  }
  expect(links.size).toBe(4);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "More for shared.txt" })).toBeFocused();

  await chooseAction(page, "shared.txt", "Delete…");
  await confirmDeletion(page);
  for (const each of links) expect((await anyone.get(each)).status()).toBe(404);
  await anyone.dispose();
});

test("one file is deleted after a question, which can be answered with no", async ({ visit }) => {
  const page = await visit({ url });
  await upload(page, text("keep.txt"), text("drop.txt"));
  await chooseAction(page, "keep.txt", "Delete…");
  await expect(page.getByRole("alertdialog", { name: "Delete “keep.txt”?" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "More for keep.txt" })).toBeFocused();

  await chooseAction(page, "drop.txt", "Delete…");
  await confirmDeletion(page);
  await expect(row(page, "drop.txt")).toBeHidden();
  await expect(page.getByRole("heading", { name: "Files" })).toBeFocused();
  await page.reload();
  await expect(yourFiles(page).getByRole("listitem")).toHaveText([/keep\.txt/]);
});

test("several files are selected and deleted at once, or all", async ({ visit }) => {
  const page = await visit({ url });
  await upload(page, text("a.txt"), text("b.txt"), text("c.txt"), text("d.txt"));
  const all = page.getByRole("checkbox", { name: "Select all files" });
  await page.getByRole("checkbox", { name: "Select a.txt" }).check();
  await page.getByRole("checkbox", { name: "Select c.txt" }).check();
  await expect(all).toHaveAttribute("aria-checked", "mixed");
  await expect(page.getByText("2 selected")).toBeVisible();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("alertdialog", { name: "Delete these 2 files?" })).toBeVisible();
  await confirmDeletion(page);
  await expect(yourFiles(page).getByRole("listitem")).toHaveText([/d\.txt/, /b\.txt/]);

  await all.check();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await confirmDeletion(page);
  await expect(page.getByText("No files yet")).toBeVisible();
});

test("many files load by scrolling", async ({ app, visit }) => {
  const page = await visit({ url });
  await upload(page, text("newest.txt"));
  await app.database.query("BEGIN");
  await app.database.query("SELECT set_config('storage.row', '*', true)");
  await app.database.query(`
    WITH stored AS (
      INSERT INTO _storage (_id, sha256, size, "blobKey", owner, claimed)
      SELECT ('01990000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, repeat('0', 64), 1, 'old ' || n, newest.owner, true
      FROM generate_series(1, 60) AS n, (SELECT owner FROM files WHERE name = 'newest.txt') AS newest
      RETURNING _id, owner
    )
    INSERT INTO files (_id, name, size, owner, "storageId")
    SELECT _id, 'Old ' || right(_id::text, 2), 1, owner, _id FROM stored`);
  await app.database.query("COMMIT");
  await page.reload();
  await expect(row(page, "newest.txt")).toBeVisible();
  await expect(row(page, "Old 01")).not.toBeAttached();
  await row(page, "Old 15").scrollIntoViewIfNeeded();
  await expect(row(page, "Old 01")).toBeAttached();
  await expect(yourFiles(page).getByRole("listitem")).toHaveCount(61);
});

test("a link in the header asks before it stops an upload", async ({ visit }) => {
  const page = await visit({ url });
  await page.route("**/api/storage/upload*", () => undefined);
  await page.locator("input[type=file]").setInputFiles(text("waiting.txt"));
  await expect(page.getByRole("progressbar")).toBeVisible();
  page.once("dialog", (dialog) => void dialog.dismiss());
  await page.getByRole("link", { name: "Gallery" }).click();
  await expect(page.getByRole("progressbar")).toBeVisible();
  await page.getByRole("button", { name: "Cancel waiting.txt" }).click();
  await page.getByRole("link", { name: "Gallery" }).click();
  await expect(page.getByRole("heading", { name: "Gallery" })).toBeVisible();
});

test.describe("when something fails", () => {
  test.use({ expectedInConsole: /Failed to load resource/ });

  test("a lost connection is named, and the upload tried again", async ({ visit }) => {
    const page = await visit({ url });
    await page.route("**/api/storage/upload*", (route) => route.abort());
    await page.locator("input[type=file]").setInputFiles(text("photo.txt"));
    await expect(page.getByRole("alert").filter({ hasText: "The connection was lost" })).toBeVisible({
      timeout: 20_000,
    });
    await page.unroute("**/api/storage/upload*");
    await page.getByRole("button", { name: "Try again to upload photo.txt" }).click();
    await expect(row(page, "photo.txt")).toBeVisible();
  });

  test("the dialog stays with the reason when a file cannot be deleted", async ({ visit }) => {
    const page = await visit({ url });
    await upload(page, text("stays.txt"));
    await page.route("**/api/trpc/files.delete*", (route) => route.abort());
    await chooseAction(page, "stays.txt", "Delete…");
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await expect(page.getByRole("alert").filter({ hasText: "The server cannot be reached" })).toBeVisible();
    await page.unroute("**/api/trpc/files.delete*");
    await confirmDeletion(page);
    await expect(page.getByText("No files yet")).toBeVisible();
  });

  test("without the database the page says so, and loads the files when asked again", async ({ app, visit }) => {
    const page = await visit({ url });
    await upload(page, text("still here.txt"));
    await app.database.query("ALTER TABLE files RENAME TO hidden");
    await page.reload();
    await expect(page.getByText("The files could not be loaded")).toBeVisible({ timeout: 20_000 });
    await app.database.query("ALTER TABLE hidden RENAME TO files");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(row(page, "still here.txt")).toBeVisible();
  });
});
