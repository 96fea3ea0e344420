import { randomUUID } from "node:crypto";
import { devices } from "@playwright/test";
import { text } from "../../e2e/demos/files";
import { picture } from "../../e2e/demos/pictures";
import { apiOf, expect } from "../../e2e/demos/test";
import { rows, test } from "./administer";
import { expectNoViolations } from "./axe";
import { expectDuration, pdf, pixel, red, wav, webm } from "./media";

/** Markup that would run a script if the page did not treat it as text. */
const html = `<img src=x onerror="document.title='ran'"><b>bold</b>`;

test.describe("for everybody else", () => {
  test.use({ expectedInConsole: /Failed to load resource.*404/ });

  test("no page of the dashboard exists, 404", async ({ visit }) => {
    const page = await visit({ url: "/sign-in" });
    const statuses = async () => {
      const paths = [
        "",
        "/data",
        "/files",
        "/functions",
        "/schedule",
        "/logs",
        "/health",
        "/users",
        "/settings",
        "/api",
      ].map((path) => `/dashboard${path}`);
      return Promise.all(paths.map(async (path) => (await page.request.get(path)).status()));
    };
    expect(await statuses()).toEqual(Array(10).fill(404));
    await page.request.post("/api/auth/sign-up/email", {
      headers: { Origin: new URL(page.url()).origin },
      data: { name: "Eve", email: "eve@example.com", password: "correct horse" },
    });
    expect(await statuses()).toEqual(Array(10).fill(404));
    await page.goto("/dashboard/files");
    await expect(page.getByText("This page does not exist")).toBeVisible();
  });
});

test("files are uploaded, found, looked at and deleted", async ({ app, administer }) => {
  await app.database.query("SET storage.row = '*'; DELETE FROM _storage");
  const page = await administer("/dashboard/files");
  const files = rows(page, "Stored files");
  await expect(page.getByText("No files match.")).toBeVisible();

  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await (await chooser).setFiles([picture("a.png"), text("b.txt", html)]);
  await expect(files).toHaveCount(2);
  await expect(page.getByRole("definition").first()).toHaveText("2");

  await page.getByLabel("Type", { exact: true }).selectOption("text");
  await expect(files).toHaveCount(1);
  await files.getByRole("button").first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.locator("pre")).toHaveText(html);
  const download = page.waitForEvent("download");
  await dialog.getByRole("link", { name: "Download" }).click();
  await download;
  const storageId = (await dialog.getByRole("heading").textContent()) ?? "";
  await page.keyboard.press("Escape");

  // A row gives the file a name.
  await (await apiOf(page)).files.saveFile.mutate({ storageId, name: html });
  await expect(files).toContainText(["files.storageId"]);
  await expect(files.getByText(html).first()).toBeVisible();
  await page.getByLabel("Type", { exact: true }).selectOption("");
  await page.getByLabel("Storage id").fill(storageId);
  await page.keyboard.press("Enter");
  await expect(files).toHaveCount(1);
  await page.getByRole("button", { name: "Show all files" }).click();

  await page.getByRole("button", { name: "Size" }).click();
  await expect(page.getByRole("columnheader", { name: "Size" })).toHaveAttribute("aria-sort", "descending");
  await page.getByRole("checkbox", { name: "Select all files on this page" }).check();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("alertdialog", { name: "Delete these 2 files?" })).toBeVisible();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("No files match.")).toBeVisible();
  expect(await page.title()).not.toBe("ran");
});

test("a file dropped anywhere on the page is stored, and a picture is shown", async ({ app, administer }) => {
  await app.database.query("SET storage.row = '*'; DELETE FROM _storage");
  const page = await administer("/dashboard/files");
  const transfer = await page.evaluateHandle(
    ({ name, type, bytes }) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
      return data;
    },
    { name: "a.png", type: "image/png", bytes: [...picture("a.png").buffer] },
  );
  const heading = page.getByRole("heading", { name: "Files" });
  await expect(async () => {
    await heading.dispatchEvent("dragenter", { dataTransfer: transfer });
    await expect(page.getByText("Drop files to store them")).toBeVisible({ timeout: 200 });
  }).toPass();
  await heading.dispatchEvent("drop", { dataTransfer: transfer });
  await rows(page, "Stored files").getByRole("cell").getByRole("button").first().click();
  const image = page.getByRole("dialog").getByRole("img");
  await expect.poll(() => image.evaluate((shown: HTMLImageElement) => shown.naturalWidth)).toBe(64);

  // Uses the keyboard alone.
  await page.keyboard.press("Escape");
  await expect(rows(page, "Stored files").getByRole("cell").getByRole("button").first()).toBeFocused();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).press("Enter");
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).press("Enter");
  await expect(page.getByText("No files match.")).toBeVisible();
  await expect(heading).toBeFocused();
});

test("films and sounds play in their previews", { tag: "@soak" }, async ({ app, administer }) => {
  await app.database.query("SET storage.row = '*'; DELETE FROM _storage");
  const page = await administer("/dashboard/files");
  const files = rows(page, "Stored files");
  for (const file of [
    { name: "film.webm", mimeType: "video/webm", buffer: webm, seconds: 4 },
    { name: "sound.wav", mimeType: "audio/wav", buffer: wav(9), seconds: 9 },
  ]) {
    await page.locator("input[type=file]").setInputFiles(file);
    const row = files.filter({ hasText: file.mimeType });
    await row.getByRole("cell").getByRole("button").first().click();
    await expectDuration(page, file.seconds);
    await page.keyboard.press("Escape");
  }
});

test("a PDF is shown in its preview", async ({ app, administer }) => {
  await app.database.query("SET storage.row = '*'; DELETE FROM _storage");
  const page = await administer("/dashboard/files");
  const file = { name: "red.pdf", mimeType: "application/pdf", buffer: Buffer.from(pdf) };
  await page.locator("input[type=file]").setInputFiles(file);
  await rows(page, "Stored files").getByRole("cell").getByRole("button").first().click();
  const box = await page.getByTitle(/^Preview of/).boundingBox();
  if (!box) throw new Error("The preview is not on the screen");
  await expect.poll(() => pixel(page, box.x + box.width / 2, box.y + box.height / 2)).toEqual(red);
});

test("what the next sweep would remove is counted, and nothing is removed", async ({ app, administer }) => {
  await app.database.query("SET storage.row = '*'; DELETE FROM _storage");
  await app.database.query(
    `
    INSERT INTO _storage (_id, "_creationTime", sha256, size, "blobKey")
    VALUES ($1, now() - interval '2 days', repeat('0', 64), 7, $1)`.replaceAll("$1", `'${randomUUID()}'`),
  );
  const page = await administer("/dashboard/files");
  await page.getByRole("button", { name: "Next garbage collection" }).click();
  await expect(page.getByRole("dialog").getByText("1 file (7 bytes) would be deleted")).toBeVisible();
  await expectNoViolations(page);
  expect((await app.database.query("SELECT FROM _storage")).rowCount).toBe(1);
});

test("a function is run as somebody, by a form, and its call is in the log with what it printed", async ({
  administer,
}) => {
  const page = await administer("/dashboard/functions");
  await page.getByLabel("Find a function").fill("sendmess");
  await page.getByRole("link", { name: /messages.sendMessage/ }).click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByText("BAD_REQUEST (400)")).toBeVisible();
  await page.getByLabel("body").fill(html);
  await page.getByLabel("author").fill("Ada");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByText("Result", { exact: true })).toBeVisible();
  await expect(page.getByText("From a terminal")).toBeVisible();
  const { messages } = await apiOf(page);
  expect((await messages.list.query({})).page).toMatchObject([{ body: html, isMine: true }]);

  await page.getByRole("link", { name: "Its calls" }).click();
  const calls = rows(page, "Calls");
  await expect(calls).toContainText(["messages.sendMessage", "messages.sendMessage"]);
  await page.getByLabel("Outcome").selectOption("error");
  await expect(calls).toContainText(["BAD_REQUEST"]);
  await calls.getByRole("button").first().click();
  await expect(page.getByRole("dialog").getByText("messages.sendMessage")).toBeVisible();
});

test("the log is live, can be paused, and shows markup as text", async ({ app, administer }) => {
  const page = await administer("/dashboard/logs");
  const calls = rows(page, "Calls");
  await app.api.files.getUrl.query({ storageId: html }).catch(() => undefined);
  await expect(calls.filter({ hasText: html.slice(0, 15) })).toHaveCount(1);
  await page.getByRole("button", { name: "Pause" }).click();
  await app.api.messages.list.query({});
  await page.getByLabel("Text").fill("nothing has printed this");
  await expect(page.getByText("No calls match.")).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByLabel("Text").fill("");
  await expect(calls.filter({ hasText: "messages.list" }).first()).toBeVisible();
  expect(await page.title()).not.toBe("ran");
});

test("jobs are seen, canceled and run again, and crons say when they run", async ({ app, administer }) => {
  await app.database.query("DELETE FROM _scheduled_functions WHERE cron IS NULL");
  await app.database.query(
    `INSERT INTO _scheduled_functions (_id, name, args, "scheduledTime") VALUES ($1, 'messages.sendOne', $2, now() + interval '1 day')`,
    [randomUUID(), { json: { author: "Ada", body: html } }],
  );
  const page = await administer("/dashboard/schedule");
  const cancel = page.getByRole("button", { name: "Cancel messages.sendOne" });
  await cancel.click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel", exact: true }).click();
  await expect(cancel).toBeFocused();
  await cancel.click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel job" }).click();
  await expect(cancel).toHaveCount(0);
  await page.getByRole("tab", { name: "Recent" }).click();
  await expect(rows(page, "Jobs, recent").filter({ hasText: "messages.sendOne" })).toContainText("Canceled");
  await page.getByRole("button", { name: "Run messages.sendOne again" }).click();
  await expect(rows(page, "Jobs, recent").filter({ hasText: "messages.sendOne" })).toContainText(["Done", "Canceled"]);
  const { rows: sent } = await app.database.query("SELECT body, author FROM messages");
  expect(sent).toEqual([{ author: "Ada", body: `Sent via HTTP action: ${html}` }]);
  await expect(rows(page, "Recurring functions")).toContainText(["_kit.upkeep"]);
});

test("jobs of one function are shown alone, with their attempts, and canceled together", async ({
  app,
  administer,
}) => {
  await app.database.query("DELETE FROM _scheduled_functions WHERE cron IS NULL");
  const insert = (name: string, failures: number) =>
    app.database.query(
      `INSERT INTO _scheduled_functions (_id, name, args, "scheduledTime", failures, "retryAt", retry, error)
       VALUES ($1, $2, $3, now() - interval '1 minute', $4, now() + interval '1 hour', $5, $6)`,
      [
        randomUUID(),
        name,
        { json: { author: "Ada", body: "b" } },
        failures,
        { maxAttempts: 5, initialBackoffMs: 1000, base: 2 },
        "Error: The mail service answered 503",
      ],
    );
  await insert("messages.sendOne", 2);
  await insert("messages.sendOne", 1);
  await insert("messages.sendMessage", 1);
  const page = await administer("/dashboard/schedule");
  const pending = rows(page, "Jobs, pending").filter({ hasNotText: "recurs" });
  await expect(pending).toHaveCount(3);
  await expect(pending.filter({ hasText: "Attempt 3 of 5, next" })).toHaveCount(1);
  await page.getByRole("button", { name: "messages.sendOne", exact: true }).first().click();
  await expect(pending).toHaveCount(2);
  await page.getByRole("button", { name: "Cancel all pending jobs of messages.sendOne" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel all" }).click();
  await expect(page.getByText("No job is pending.")).toBeVisible();
  await page.getByRole("button", { name: "Show the jobs of all functions" }).click();
  await expect(pending).toHaveCount(1);
});

test("on a phone nothing scrolls sideways but the tables", async ({ administer }) => {
  const page = await administer("/dashboard/files", devices["iPhone 14"]);
  await page.locator("input[type=file]").setInputFiles([text("a.txt")]);
  const names = ["", "data?table=messages", "files", "functions?name=messages.sendMessage", "schedule", "logs"];
  for (const path of [...names, "users", "settings", "api"]) {
    await page.goto(`/dashboard/${path}`);
    await expect(page.getByRole("region").first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  }
});

test("axe finds nothing to object to in the dashboard", async ({ administer, app }) => {
  test.setTimeout(90_000);
  const page = await administer("/dashboard/files");
  await page.locator("input[type=file]").setInputFiles([text("a.txt"), picture("b.png")]);
  await expect(rows(page, "Stored files").first()).toBeVisible();
  await expectNoViolations(page);
  await rows(page, "Stored files").first().getByRole("button").first().click();
  await expect(page.getByRole("dialog").getByRole("link", { name: "Download" })).toBeVisible();
  await expectNoViolations(page);
  await app.api.messages.list.query({});
  await page.goto("/dashboard/functions?name=messages.list");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.getByText("Result", { exact: true })).toBeVisible();
  const time = page.getByRole("slider", { name: "Time of calls and errors" });
  await time.press("ArrowLeft");
  await expect(time).toHaveAttribute("aria-valuetext", /: Calls: \d+, Errors: \d+$/);
  await expectNoViolations(page);
  await page.goto("/dashboard/functions?name=POST /postMessage");
  await expect(page.getByRole("button", { name: "Send" })).toBeVisible();
  await expectNoViolations(page);
  await page.goto("/dashboard/schedule");
  await page.getByRole("tab", { name: "Recent" }).click();
  await expect(page.getByRole("region", { name: "Jobs, recent" })).toBeVisible();
  await expectNoViolations(page);
  await page.goto("/dashboard/logs");
  await rows(page, "Calls").first().getByRole("button").click();
  await expect(page.getByRole("dialog").getByText("Lines")).toBeVisible();
  await expectNoViolations(page);
});
