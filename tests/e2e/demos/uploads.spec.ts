import type { Page } from "@playwright/test";
import { expectNoViolations } from "../../demos/e2e/axe";
import { chooseAction, row, text, upload } from "./files";
import { expect, test } from "./test";

const failures = (page: Page, count: number) => page.getByText(`${count} files were not uploaded`);

test("UploadDropzone takes files that are dropped on it, and those that are chosen", async ({ visit }) => {
  const page = await visit({ url: "/" });
  const transfer = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
    return data;
  });
  const area = page.getByText("or drop files here");
  const stored = (name: string) => page.getByRole("status").getByRole("link", { name });
  await expect(async () => {
    await area.dispatchEvent("drop", { dataTransfer: transfer });
    await expect(stored("dropped.txt")).toBeVisible({ timeout: 2_000 });
  }).toPass();
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose files" }).click();
  await (await chooser).setFiles([text("chosen.txt")]);
  await stored("chosen.txt").click();
  await expect(page.getByRole("heading", { name: "chosen.txt" })).toBeVisible();
});

test("UploadButton shows how far an upload is, cancels it, and saves the next", async ({ visit }) => {
  const page = await visit({ url: "/files" });
  await upload(page, text("report.txt", "first"));
  await chooseAction(page, "report.txt", "Details");
  await expect(page.getByRole("definition").first()).toHaveText("5 bytes");
  await expectNoViolations(page);
  const choose = async (content: string) => {
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "New version" }).click();
    await (await chooser).setFiles([text("other.txt", content)]);
  };
  await page.route("**/api/storage/upload*", () => undefined);
  await choose("canceled");
  await expect(page.getByRole("progressbar")).toBeVisible();
  await expectNoViolations(page);
  await page.getByRole("button", { name: "Cancel other.txt" }).click();
  await expect(page.getByRole("progressbar")).toBeHidden();
  await page.unroute("**/api/storage/upload*");
  await choose("the second version");
  await expect(page.getByRole("definition").first()).toHaveText("18 bytes");
  await expect(page.getByRole("heading", { name: "report.txt" })).toBeVisible();
  await expect(page.getByRole("list", { name: "Uploads" })).toBeHidden();
});

test.describe("uploads that fail", () => {
  test.use({ expectedInConsole: /Failed to load resource/ });

  test("are tried again all at once, or dismissed", async ({ visit }) => {
    const page = await visit({ url: "/files" });
    const names = ["one.txt", "two.txt", "three.txt"];
    await page.route("**/api/storage/upload*", (route) => route.abort());
    await page.locator("input[type=file]").setInputFiles(names.map((name) => text(name)));
    await expect(failures(page, 3)).toBeVisible({ timeout: 20_000 });
    await expectNoViolations(page);
    await page.unroute("**/api/storage/upload*");
    await page.getByRole("button", { name: "Retry all" }).click();
    for (const name of names) await expect(row(page, name)).toBeVisible();
    await expect(failures(page, 3)).toBeHidden();

    await page.route("**/api/storage/upload*", (route) => route.abort());
    await page.locator("input[type=file]").setInputFiles(names.map((name) => text(`again ${name}`)));
    await expect(failures(page, 3)).toBeVisible({ timeout: 20_000 });
    await page.getByRole("button", { name: "Dismiss all" }).click();
    await expect(page.getByRole("list", { name: "Uploads" })).toBeHidden();
  });
});

test.describe("the page of one file", () => {
  test.use({ expectedInConsole: /Failed to load resource.*(404|401)/ });

  test("is a 404 for ids of nothing, of others, and that are none; without an identity it asks to sign in", async ({
    visit,
  }) => {
    const owner = await visit({ url: "/files" });
    await upload(owner, text("mine.txt"));
    await chooseAction(owner, "mine.txt", "Details");
    await expect(owner.getByRole("heading", { name: "mine.txt" })).toBeVisible();
    const path = new URL(owner.url()).pathname;

    const page = await visit({ url: path });
    await expect(page).toHaveURL(`/sign-in?next=${encodeURIComponent(path)}`);
    await page.goto("/files");
    await upload(page, text("other.txt"));
    for (const address of [path, "/files/01990000-0000-7000-8000-000000000000", "/files/no-id", "/files/%00"]) {
      expect((await page.request.get(address)).status(), address).toBe(404);
    }
    await page.goto(path);
    await expect(page.getByRole("heading", { name: "This page does not exist" })).toBeVisible();
  });

  test("says that the file was deleted; and what is refused is asked once", async ({ app, visit }) => {
    const page = await visit({ url: "/files" });
    await upload(page, text("gone.txt"), text("kept.txt"));
    await chooseAction(page, "gone.txt", "Details");
    await expect(page.getByRole("heading", { name: "gone.txt" })).toBeVisible();
    await app.database.query("DELETE FROM files WHERE name = 'gone.txt'");
    await expect(page.getByText("This file has been deleted")).toBeVisible();

    await page.clock.install();
    await page.goto("/files");
    await chooseAction(page, "kept.txt", "Details");
    await expect(page.getByRole("heading", { name: "kept.txt" })).toBeVisible();
    const asked: string[] = [];
    page.on("request", (request) => void (request.url().includes("files.get") && asked.push(request.url())));
    await page.context().clearCookies();
    const refused = page.waitForResponse((response) => response.status() === 401);
    await app.database.query("UPDATE files SET name = 'renamed.txt' WHERE name = 'kept.txt'");
    await refused;
    // A retry would come a second later.
    await page.clock.fastForward(5_000);
    expect(asked).toHaveLength(1);
  });
});

test("files are searched and ordered, and all of them are counted", async ({ app, visit }) => {
  const page = await visit({ url: "/files" });
  await upload(page, text("Beta.txt", "1"), text("alpha.txt", "22"), text("gamma.md", "333"));
  const names = page.getByRole("region", { name: "Your files" }).getByRole("link", { name: /^(alpha|Beta|gamma)/ });
  await expect(names).toHaveText(["gamma.md", "alpha.txt", "Beta.txt"]);
  await page.getByRole("combobox", { name: "Sort by" }).selectOption("Oldest");
  await expect(names).toHaveText(["Beta.txt", "alpha.txt", "gamma.md"]);
  await page.getByRole("searchbox", { name: "Search by name" }).fill("A.TXT");
  await expect(names).toHaveText(["Beta.txt", "alpha.txt"]);
  await expect(page.getByText("2 files", { exact: true })).toBeVisible();
  await page.getByRole("searchbox", { name: "Search by name" }).fill("nothing");
  await expect(page.getByText("None of your files has “nothing” in its name.")).toBeVisible();
  await expectNoViolations(page);
  await page.getByRole("searchbox", { name: "Search by name" }).fill("");
  await expect(names).toHaveCount(3);

  // Inserts as many files again as the list loads at once.
  await app.database.query("SET storage.row = '*'");
  await app.database.query(`
    WITH stored AS (
      INSERT INTO _storage (_id, sha256, size, "blobKey", owner, claimed)
      SELECT gen_random_uuid(), repeat('0', 64), 1, 'counted ' || n, one.owner, true
      FROM generate_series(1, 70) AS n, (SELECT owner FROM files WHERE name = 'gamma.md') AS one
      RETURNING _id, owner
    )
    INSERT INTO files (_id, name, size, owner, "storageId") SELECT _id, 'More', 1, owner, _id FROM stored`);
  await expect(page.getByText("73 files", { exact: true })).toBeVisible();
});
