import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { chromium } from "@playwright/test";
import { expect, test } from "vitest";
import { findBrowsers } from "../../../scripts/browser.mjs";
import { scale } from "../../kit/crash/scale";
import { launchApp } from "../../kit/crash/server-process";
import { createScratchCopy } from "../../kit/scratch-copy";

/** The files that recipes tell people to create, by path. */
async function filesOfRecipes(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of await readdir("docs/recipes")) {
    const text = await readFile(join("docs/recipes", name), "utf8");
    for (const [, path = "", code = ""] of text.matchAll(/^Create `(.+?)`[^\n]*:\n\n```tsx?\n(.*?)```/gms)) {
      files.set(path, code);
    }
  }
  return files;
}

test(
  "the app with the files of every recipe type-checks, builds, and runs with no script but its own",
  async () => {
    const files = await filesOfRecipes();
    expect([...files.keys()]).toContain("src/proxy.ts");
    const copy = await createScratchCopy();
    try {
      for (const [path, code] of files) {
        await mkdir(dirname(join(copy.folder, path)), { recursive: true });
        await writeFile(join(copy.folder, path), code);
      }
      await copy.run(process.execPath, ["node_modules/next/dist/bin/next", "build"], { NODE_ENV: "production" });

      const server = await launchApp({}, copy.folder);
      const { CHROMIUM_PATH } = await findBrowsers();
      const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
      const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args });
      try {
        const page = await browser.newPage();
        const refused: string[] = [];
        page.on("console", (message) => /Content Security Policy/.test(message.text()) && refused.push(message.text()));
        const answer = await page.goto(server.origin);
        expect(answer?.headers()["content-security-policy"]).toMatch(/script-src 'nonce-.*frame-ancestors 'none'/);
        // The page works only once its scripts run.
        const message = `Hello ${Date.now()}`;
        await page.getByRole("textbox", { name: "Message" }).fill(message);
        await page.keyboard.press("Enter");
        await page.getByRole("listitem").filter({ hasText: message }).waitFor();
        expect(refused).toEqual([]);
        // A script that found its way into the page has no nonce.
        const ran = await page.evaluate(() => {
          const script = document.createElement("div");
          script.innerHTML = '<img src="x:" onerror="window.ran = true">';
          document.body.append(script);
          return new Promise((resolve) => setTimeout(() => resolve("ran" in window), 500));
        });
        expect(ran).toBe(false);
      } finally {
        await browser.close();
        server.child.kill("SIGTERM");
        await once(server.child, "exit");
      }
    } finally {
      await copy.remove();
    }
  },
  scale.limit,
);
