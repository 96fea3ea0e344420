import { messageBox, messages, say } from "../../e2e/demos/chat";
import { row, text, upload, yourFiles } from "../../e2e/demos/files";
import { account, password, signIn, signUp } from "../../e2e/demos/sign-in";
import { apiOf, expect, test } from "../../e2e/demos/test";

test("whoever only reads gets no identity; whoever sends has one from then on", async ({ app, visit }) => {
  await app.database.query("DELETE FROM _users");
  const page = await visit();
  await page.getByRole("link", { name: "Files" }).click();
  await expect(page.getByText("No files yet")).toBeVisible();
  await page.getByRole("link", { name: "Chat" }).click();
  expect(await page.context().cookies()).toEqual([]);
  expect((await app.database.query("SELECT FROM _users")).rowCount).toBe(0);
  await say(page, "Here I am");
  await say(page, "And again");
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Lax" });
  expect((await app.database.query("SELECT FROM _users")).rowCount).toBe(1);
});

test("of two visitors neither sees, links, renames or deletes the other's files", async ({ visit }) => {
  const ada = await visit({ url: "/files" });
  const ben = await visit({ url: "/files" });
  await upload(ada, text("ada's.txt"));
  await upload(ben, text("ben's.txt"));
  await ada.reload();
  await expect(yourFiles(ada).getByRole("listitem")).toHaveText([/ada's\.txt/]);
  await expect(yourFiles(ben).getByRole("listitem")).toHaveText([/ben's\.txt/]);

  const [file] = (await (await apiOf(ada)).files.list.query({})).page;
  const storageId = file?.storageId ?? "";
  const { files } = await apiOf(ben);
  expect(await files.getUrl.query({ storageId })).toBeNull();
  await expect(files.rename.mutate({ storageId, name: "mine.txt" })).rejects.toThrow("does not exist");
  await expect(files.delete.mutate({ storageId })).rejects.toThrow("does not exist");
  await expect(files.saveFile.mutate({ storageId, name: "mine.txt" })).rejects.toThrow();
});

test("a visitor who makes an account keeps files and messages, and has them on another device", async ({ visit }) => {
  const page = await visit();
  await say(page, "Written as a visitor");
  await page.getByRole("link", { name: "Files" }).click();
  await upload(page, text("kept.txt"));
  await signUp(page, "ada@example.com");
  await expect(account(page)).toBeVisible();
  await expect(row(page, "kept.txt")).toBeVisible();
  await page.getByRole("link", { name: "Chat" }).click();
  await expect(messages(page).getByRole("button", { name: /^Delete your message/ })).toBeAttached();
  await say(page, "Under my own name");
  await expect(messages(page).getByRole("listitem").last()).toContainText("Ada Lovelace");
  await expect(page.getByRole("button", { name: /^Your name/ })).toHaveCount(0);

  const other = await visit({ url: "/files" });
  await upload(other, text("from the phone.txt"));
  await other.getByRole("link", { name: "Sign in" }).click();
  await signIn(other, "ada@example.com");
  await expect(yourFiles(other).getByRole("listitem")).toHaveText([/from the phone\.txt/, /kept\.txt/]);
  await other.getByRole("button", { name: "Account of Ada Lovelace" }).click();
  await other.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(other.getByRole("heading", { name: "Try the demos" })).toBeVisible();
  await expect(other.getByRole("link", { name: "Sign in" })).toBeVisible();
  await other.getByRole("link", { name: "Files", exact: true }).click();
  await expect(other.getByText("No files yet")).toBeVisible();
});

test("only whoever sent a message can delete it, and does so with the keyboard", async ({ visit }) => {
  const ada = await visit({ name: "Ada" });
  const ben = await visit({ name: "Ben" });
  await say(ada, "A slip of the pen");
  await say(ada, "This stays");
  await expect(messages(ben).getByText("This stays")).toBeVisible();
  await expect(messages(ben).getByRole("button", { name: /^Delete/ })).toHaveCount(0);

  await ada.getByRole("button", { name: "Delete your message “A slip of the pen”" }).focus();
  await ada.keyboard.press("Enter");
  await expect(ada.getByRole("alertdialog", { name: "Delete this message?" })).toBeVisible();
  await ada.getByRole("alertdialog").getByRole("button", { name: "Delete" }).press("Enter");
  await expect(ada.getByRole("alertdialog")).toBeHidden();
  await expect(messages(ada)).toBeFocused();
  for (const page of [ada, ben]) {
    await expect(messages(page).getByText("A slip of the pen")).toBeHidden();
    await expect(messages(page).getByText("This stays")).toBeVisible();
  }
});

test("who is signed in is asked once, however many pages one opens", async ({ visit }) => {
  const page = await visit({ url: "/api/health" });
  const asked: string[] = [];
  page.on("request", (request) => void (request.url().includes("get-session") && asked.push(request.url())));
  await page.goto("/files");
  for (const name of ["Chat", "Gallery", "Files", "Chat"]) {
    await page.getByRole("banner").getByRole("link", { name, exact: true }).click();
    await expect(page.getByRole("heading", { name })).toBeAttached();
  }
  expect(asked).toHaveLength(1);
});

test("signing in leads back to where it was asked for, and never to another site", async ({ visit }) => {
  const page = await visit({ url: "/gallery" });
  await signUp(page, "back@example.com");
  await expect(account(page)).toBeVisible();
  await expect(page).toHaveURL(/\/gallery$/);
  await page.goto("/sign-in?next=%2Fhttp-demo%3Fa%3D1%23b");
  await expect(page).toHaveURL(/^http:\/\/localhost:\d+\/http-demo\?a=1#b$/);
  for (const next of [
    "https://example.com",
    "//example.com",
    "/\\example.com",
    "/.//example.com",
    "/\t/example.com",
    "a",
  ]) {
    await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
    await expect(page).toHaveURL(/^http:\/\/localhost:\d+\/$/);
  }
});

test.describe("what goes wrong", () => {
  test.use({ expectedInConsole: /Failed to load resource/ });

  test("is explained: a wrong password, an address that is taken, too many attempts", async ({ visit }) => {
    const owner = await visit();
    await signUp(owner, "taken@example.com");
    await expect(account(owner)).toBeVisible();

    const page = await visit({ url: "/sign-in" });
    await signIn(page, "taken@example.com", "wrong horse");
    await expect(page.getByRole("alert").filter({ hasText: "There is no account with this email" })).toBeVisible();
    await expect(page.getByLabel("Email")).toHaveValue("taken@example.com");

    const message = "Too many calls; try again in 42 s";
    await page.route("**/api/auth/sign-in/email", (route) =>
      route.fulfill({ status: 429, json: { code: "TOO_MANY_REQUESTS", message } }),
    );
    await signIn(page, "taken@example.com");
    await expect(page.getByRole("alert").filter({ hasText: `${message}.` })).toBeVisible();

    await page.getByRole("link", { name: "Create an account" }).click();
    await page.getByLabel("Name").fill("Ada");
    await page.getByLabel("Email").fill("taken@example.com");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Create account" }).click();
    await expect(page.getByRole("alert").filter({ hasText: "There is an account with this email" })).toBeVisible();
  });

  test("a visitor who cannot have an identity right now learns when to try again", async ({ visit }) => {
    const page = await visit();
    const message = "Too many calls; try again in 7 s";
    await page.route("**/api/auth/sign-in/anonymous", (route) =>
      route.fulfill({ status: 429, json: { code: "TOO_MANY_REQUESTS", message } }),
    );
    await messageBox(page).fill("Let me in");
    await messageBox(page).press("Enter");
    await expect(page.getByRole("alert").filter({ hasText: message })).toBeVisible();
    await expect(messageBox(page)).toHaveValue("Let me in");
    await page.unroute("**/api/auth/sign-in/anonymous");
    await messageBox(page).press("Enter");
    await expect(messages(page).getByText("Let me in")).toBeVisible();
  });
});
