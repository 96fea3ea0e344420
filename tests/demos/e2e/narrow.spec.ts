import type { Page } from "@playwright/test";
import { picture } from "../../e2e/demos/pictures";
import { apiOf, expect } from "../../e2e/demos/test";
import { test } from "./administer";

const word = "Donaudampfschifffahrtsgesellschaft".repeat(6);

/** The smallest phones are this wide. */
const viewport = { width: 320, height: 640 };

/** What scrolls sideways inside of the page, besides navigation, or the page itself. */
const widened = (page: Page) =>
  page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll("main *, [role=dialog], [role=dialog] *")]
      .filter((each) => each.scrollWidth > each.clientWidth && getComputedStyle(each).overflowX !== "hidden")
      .filter((each) => each === document.documentElement || /auto|scroll/.test(getComputedStyle(each).overflowX))
      .map((each) => `${each.tagName} ${each.className}`),
  );

test("nothing that people write makes a page wider than a small phone", async ({ app, administer, request }) => {
  const page = await administer("/icon.svg", { viewport });
  const newest = 'SELECT _id FROM _users ORDER BY "createdAt" DESC LIMIT 1';
  await app.database.query(`UPDATE _users SET name = $1, email = $1 || email WHERE _id = (${newest})`, [word]);
  const api = await apiOf(page);
  const store = async ({ buffer, mimeType }: { buffer: Buffer; mimeType: string }) => {
    const url = await api.files.generateUploadUrl.mutate({});
    const response = await request.post(url, { headers: { "Content-Type": mimeType }, data: buffer });
    return (await response.json()).storageId;
  };
  const image = picture("a.png");
  const storageId = await store({ ...image, mimeType: `application/x-${word}` });
  const { _id: fileId } = await api.files.saveFile.mutate({ storageId, name: `${word}.txt` });
  const token = await api.shares.create.mutate({ fileId, hours: 1 });
  await api.images.saveImage.mutate({ storageId: await store(image), title: word.slice(0, 200) });
  const author = word.slice(0, 100);
  await api.messages.sendMessage.mutate({ author, body: `https://example.com/${word}` });
  await api.messages.sendImage.mutate({ author, storageId: await store(image) });

  const found: Record<string, string[]> = {};
  const paths = ["/chat", "/files", `/files/${fileId}`, "/gallery", "/account", `/share/${token}`, "/dashboard/users"];
  paths.push("/dashboard/files", "/dashboard/data?table=files");
  for (const path of paths) {
    await page.goto(path);
    await expect(page.getByText("Donau").first()).toBeAttached();
    found[path] = await widened(page);
  }
  await page.getByRole("button", { name: `Open row ${fileId}` }).click();
  await expect(page.getByRole("dialog")).toContainText(word);
  found.row = await widened(page);
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((path) => [path, []])));
});

test("more links than fit into the header scroll in it, and the account stays in view", async ({ visit }) => {
  const page = await visit({ url: "/files", viewport });
  const links = page.getByRole("navigation", { name: "Pages" });
  await links.evaluate((nav) => {
    for (const label of ["Notes", "Projects"]) {
      const link = nav.lastElementChild?.cloneNode(true) as Element;
      link.textContent = label;
      nav.append(link);
    }
  });
  await expect(page.getByRole("link", { name: "Sign in" })).toBeInViewport({ ratio: 1 });
  expect(await widened(page)).toEqual([]);
  await links.getByText("Projects").focus();
  await expect(links.getByText("Projects")).toBeInViewport({ ratio: 1 });
});
