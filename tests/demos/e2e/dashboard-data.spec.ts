import { randomUUID } from "node:crypto";
import { picture } from "../../e2e/demos/pictures";
import { expect } from "../../e2e/demos/test";
import { rows, test } from "./administer";
import { expectNoViolations } from "./axe";

/** Markup that would run a script if the page did not treat it as text. */
const html = `<img src=x onerror="document.title='ran'"><b>bold</b>`;

test("rows are found, lead to the rows and files that they refer to, and appear as they come", async ({
  app,
  administer,
}) => {
  await app.database.query("SET storage.row = '*'; DELETE FROM _storage; DELETE FROM messages");
  const page = await administer("/dashboard/files");
  await page.locator("input[type=file]").setInputFiles(picture("a.png"));
  await expect(rows(page, "Stored files").getByText("image/png")).toBeVisible();
  const [stored] = (await app.database.query("SELECT _id FROM _storage")).rows;
  await app.database.query(
    `INSERT INTO messages (_id, author, body, format, "storageId") VALUES (gen_random_uuid(), 'Ada', $1, 'image', $2)`,
    [stored._id, stored._id],
  );

  await page.goto("/dashboard/data");
  await page.getByRole("link", { name: /^messages/ }).click();
  const messages = rows(page, "Rows of messages");
  await expect(messages).toHaveCount(1);
  await app.api.messages.sendMessage.mutate({ author: "Eve", body: html });
  await expect(messages).toHaveCount(2);
  const sent = messages.filter({ hasText: html });
  await expect(sent).toHaveCount(1);

  await page.getByLabel("Column").selectOption("author");
  await page.getByLabel("Value").fill("Ada");
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await expect(messages).toHaveCount(1);
  await messages.getByRole("button", { name: /^Open file/ }).click();
  await expect(page.getByRole("dialog").getByRole("img")).toBeVisible();
  await page.getByRole("dialog").getByRole("link").filter({ hasNotText: "Download" }).first().click();
  await expect(page.getByRole("list", { name: "Filters" })).toContainText("_id is");
  await page.goBack();
  await page.getByRole("button", { name: "Remove the filter by author" }).click();
  await expect(messages).toHaveCount(2);
  await sent.getByRole("button", { name: /^Open row/ }).click();
  await expect(page.getByRole("dialog")).toContainText(html);
  expect(await page.title()).not.toBe("ran");
});

test("users are found, made administrators, signed out and deleted", async ({ app, administer, request }) => {
  const page = await administer("/dashboard/users");
  const email = `eve-${randomUUID()}@example.com`;
  await request.post(`${app.origin}/api/auth/sign-up/email`, {
    headers: { Origin: app.origin },
    data: { name: "Eve", email, password: "correct horse" },
  });
  await page.getByRole("searchbox").fill(email.slice(0, 12));
  const users = rows(page, "Users");
  await expect(users).toHaveCount(1);
  await users.getByRole("button", { name: "Eve" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("list", { name: "Sessions" }).getByRole("listitem")).toHaveCount(1);
  await expectNoViolations(page);
  await dialog.getByRole("button", { name: "Sign out" }).click();
  await expect(dialog.getByText("Nowhere.")).toBeVisible();
  const confirm = page.getByRole("alertdialog");
  await dialog.getByRole("button", { name: "Make administrator" }).click();
  await confirm.getByRole("button", { name: "Make administrator" }).click();
  await expect(dialog).toContainText("Administrator, ");
  await dialog.getByRole("button", { name: "Take the role of administrator" }).click();
  await confirm.getByRole("button", { name: "Take the role" }).click();
  await expect(dialog).not.toContainText("Administrator, ");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await confirm.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("No user has this id")).toBeVisible();
  await expect(dialog).toHaveCount(0);
});

test("the overview names what failed, and leads to it", async ({ app, administer }) => {
  await app.database.query("DELETE FROM _scheduled_functions WHERE cron IS NULL");
  await app.database.query(
    `INSERT INTO _scheduled_functions (_id, name, args, "scheduledTime", "completedTime", state, error)
     VALUES ($1, 'messages.sendOne', '{}', now(), now(), 'failed', 'Error: no')`,
    [randomUUID()],
  );
  const page = await administer("/");
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Dashboard" }).click();
  await page.getByRole("link", { name: "1 job failed in the last day." }).click();
  await expect(rows(page, "Jobs, failed")).toContainText(["messages.sendOne"]);
  await page.getByRole("link", { name: "Settings" }).click();
  await expect(rows(page, "Environment variables").filter({ hasText: "APP_SECRET" })).toContainText("characters");
  await expect(page.getByRole("main")).not.toContainText(String(app.env.APP_SECRET));
  await page.getByRole("link", { name: "API", exact: true }).click();
  await page.getByRole("searchbox").fill("messages/list");
  await page.getByText("/api/run/messages/list").click();
  await expect(page.getByText("limit", { exact: true })).toBeVisible();
});
