import { rename, rm, writeFile } from "node:fs/promises";
import { picture } from "../../e2e/demos/pictures";
import { expect } from "../../e2e/demos/test";
import { test } from "./administer";
import { expectNoViolations } from "./axe";

test("the health page looks at the surroundings, and says how to repair what is wrong", async ({ app, administer }) => {
  await app.database.query(`DROP TRIGGER "list_variants" ON "_storage_variants"`);
  const page = await administer("/dashboard/health");
  await expect(page.getByText("checks found something")).toBeVisible();
  const triggers = page.getByRole("listitem").filter({ hasText: "list_variants on _storage_variants" });
  await expect(triggers.getByRole("img", { name: "Problem" })).toBeVisible();
  const fix = (await triggers.locator("pre").textContent()) ?? "";
  await expectNoViolations(page);
  await app.database.query(fix.split("\n").slice(1).join("\n"));
  await page.getByRole("button", { name: "Check again" }).click();
  await expect(triggers).toHaveCount(0);
  for (const check of ["A blob can be written", "The store (disk) answers", "No proxy is in front"]) {
    await expect(page.getByText(check)).toBeVisible();
  }
});

test.describe("when the store is broken", () => {
  test.use({ expectedInConsole: /Failed to load resource.*503/ });

  test("the page says why an upload fails", async ({ app, administer }) => {
    const page = await administer("/dashboard/files");
    const folder = String(app.env.STORAGE_DISK_PATH);
    await rename(folder, `${folder}-away`);
    await writeFile(folder, "a file where the folder was");
    const chooser = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await (await chooser).setFiles([picture("a.png")]);
    await expect(page.getByRole("region", { name: "Why uploads fail" })).toContainText(
      "Cannot write to STORAGE_DISK_PATH",
    );
    await rm(folder);
    await rename(`${folder}-away`, folder);
  });
});
