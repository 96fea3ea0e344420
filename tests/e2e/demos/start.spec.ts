import { expectNoViolations } from "../../demos/e2e/axe";
import { expect, test } from "./test";

test("the start page leads to every demo, and says how to remove them", async ({ visit }) => {
  const page = await visit({ url: "/" });
  await expectNoViolations(page);
  await expect(page.getByText("npm run demos:remove")).toBeVisible();
  const demos = page.getByRole("main").getByRole("listitem").getByRole("link");
  const paths = await demos.evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  expect(paths).toEqual(["/chat", "/files", "/gallery", "/http-demo"]);
  for (const path of paths) {
    await page.goto("/");
    await page.getByRole("main").locator(`a[href="${path}"]`).click();
    await expect(page).toHaveURL(new RegExp(`${path}$`));
    await expect(page.getByRole("heading", { level: 1 })).toBeAttached();
  }
  await page.getByRole("link", { name: "Start" }).click();
  await expect(page.getByRole("heading", { name: "next-trpc-storage" })).toBeVisible();
});

test.describe("an address that leads nowhere", () => {
  test.use({ expectedInConsole: /status of 404/ });

  test("is said so below the same header as on every page", async ({ visit }) => {
    const page = await visit({ url: "/nothing/here" });
    await expect(page.getByRole("heading", { name: "This page does not exist" })).toBeVisible();
    await expectNoViolations(page);
    await page.getByRole("banner").getByRole("link", { name: "Files" }).click();
    await expect(page.getByRole("heading", { name: "Files" })).toBeVisible();
  });
});
