import type { Route } from "@playwright/test";
import { messageBox, messages, say, sent } from "./chat";
import { expect, test } from "./test";

test("a message that is sent appears with its author, and is there after a reload", async ({ visit }) => {
  const page = await visit({ name: "Ada" });
  await expect(page.getByText("No messages yet")).toBeVisible();
  await say(page, "Hello, everyone");
  await expect(messageBox(page)).toHaveValue("");
  await page.reload();
  await expect(messages(page).getByRole("listitem")).toHaveText(/Ada.*Hello, everyone/);
});

test("two visitors see each other's messages", async ({ visit }) => {
  const ada = await visit({ name: "Ada" });
  const ben = await visit({ name: "Ben" });
  await say(ada, "Are you there?");
  await expect(messages(ben).getByText("Are you there?")).toBeVisible();
  await say(ben, "I am");
  await expect(messages(ada).getByText("I am")).toBeVisible();
});

test("messages sent in quick succession keep their order", async ({ visit }) => {
  const page = await visit();
  for (const text of ["one", "two", "three"]) {
    await messageBox(page).fill(text);
    await messageBox(page).press("Enter");
  }
  await expect(sent(page)).toHaveText([/one$/, /two$/, /three$/]);
});

test("messages typed while the page has no time are sent each, and none is wiped", async ({ visit }) => {
  const page = await visit();
  await say(page, "one");
  await messageBox(page).evaluate((box: HTMLTextAreaElement) => {
    for (const text of ["two", "three"]) {
      box.value = text;
      box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    }
    box.value = "four";
  });
  await expect(sent(page)).toHaveText([/one$/, /two$/, /three$/]);
  await expect(messageBox(page)).toHaveValue("four");
});

test("Shift+Enter starts a new line, and what looks like HTML stays text", async ({ visit }) => {
  const page = await visit();
  await messageBox(page).pressSequentially("<b>bold</b>");
  await messageBox(page).press("Shift+Enter");
  await messageBox(page).pressSequentially("second line");
  await messageBox(page).press("Enter");
  const message = sent(page).getByText("<b>bold</b>\nsecond line");
  await expect(message).toHaveText("<b>bold</b>\nsecond line", { useInnerText: true });
});

test("an empty message is not sent", async ({ visit }) => {
  const page = await visit();
  await messageBox(page).fill("   ");
  await page.getByRole("button", { name: "Send message" }).click();
  await say(page, "something");
  await expect(messages(page).getByRole("listitem")).toHaveCount(1);
});

test("a visitor has a made-up name, remembered when it is changed", async ({ visit }) => {
  const page = await visit();
  const name = page.getByRole("button", { name: /^Your name: / });
  await expect(name).toHaveText(/^(U\d)?User \d{1,4}$/);
  await name.click();
  await page.getByLabel("Your name", { exact: true }).fill("Grace");
  await page.getByRole("button", { name: "Save" }).click();
  await say(page, "I have a name now");
  await page.reload();
  await expect(name).toHaveAccessibleName("Your name: Grace. Change it");
  await expect(messages(page).getByText("Grace", { exact: true })).toBeVisible();
});

test("the server renders the messages: they show without JavaScript, the newest in view", async ({ app, visit }) => {
  for (let count = 1; count <= 25; count += 1)
    await app.api.messages.sendMessage.mutate({ author: "Ada", body: `Message ${count}` });
  const reader = await visit({ javaScriptEnabled: false });
  await expect(messages(reader).getByText("Message 25")).toBeInViewport();
  await expect(messages(reader).getByText("Message 1", { exact: true })).toBeAttached();
});

test("what is written and sent before the page's script has loaded is sent when it has", async ({ visit }) => {
  const page = await visit({ name: "Ada" });
  const held: Route[] = [];
  await page.route("**/_next/static/**/*.js", (route) => void held.push(route));
  await page.reload({ waitUntil: "domcontentloaded" });
  await messageBox(page).fill("Too early");
  await page.getByRole("button", { name: "Send message" }).click();
  for (const route of held) await route.continue();
  await expect(messages(page).getByRole("listitem")).toHaveText(/Ada.*Too early/);
  await expect(messageBox(page)).toHaveValue("");
});

test("times are those of the visitor's own zone and language", async ({ app, visit }) => {
  await app.database.query(
    `INSERT INTO messages (_id, "_creationTime", author, body, format)
     VALUES (gen_random_uuid(), '2024-02-29T22:30:00Z', 'Ada', 'Leap day', 'text')`,
  );
  const page = await visit({ timezoneId: "Asia/Tokyo", locale: "de-DE" });
  // A message that an earlier test left on its way may come too.
  const leapDay = messages(page).getByRole("listitem").filter({ hasText: "Leap day" });
  await expect(leapDay.getByRole("time")).toHaveText("1. März, 7:30");
});

test.describe("without a network", () => {
  test.use({ expectedInConsole: /ERR_INTERNET_DISCONNECTED/ });

  test("a message that cannot be sent comes back to be sent again", async ({ visit }) => {
    const page = await visit();
    await expect(page.getByRole("button", { name: /^Your name/ })).toBeVisible();
    await page.context().setOffline(true);
    await messageBox(page).fill("From the train");
    await messageBox(page).press("Enter");
    await expect(page.getByRole("alert").filter({ hasText: "Your message was not sent" })).toBeVisible();
    await expect(messageBox(page)).toHaveValue("From the train");
    await expect(page.getByText("Reconnecting…")).toBeVisible();
    await page.context().setOffline(false);
    await expect(page.getByText("Reconnecting…")).toBeHidden();
    await messageBox(page).press("Enter");
    await expect(sent(page).getByText("From the train")).toBeVisible();
    await expect(page.getByText("Your message was not sent")).toBeHidden();
  });
});

test.describe("without the database", () => {
  test.use({ expectedInConsole: /status of 500/ });

  test("the page says so and loads the messages when asked again", async ({ app, visit }) => {
    await app.api.messages.sendMessage.mutate({ author: "Ann", body: "Still here" });
    await app.database.query("ALTER TABLE messages RENAME TO hidden");
    const page = await visit();
    await expect(page.getByText("The messages could not be loaded")).toBeVisible({ timeout: 20_000 });
    await app.database.query("ALTER TABLE hidden RENAME TO messages");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(messages(page).getByText("Still here")).toBeVisible();
  });
});
