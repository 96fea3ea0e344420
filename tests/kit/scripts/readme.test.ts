import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const placeholder = "github.com%2FOWNER%2Fnext-trpc-storage";

test.skipIf(process.platform === "win32")(
  "the deploy button names the repository's owner once, and the README's command sets it",
  async () => {
    const readme = await readFile("README.md", "utf8");
    expect(readme.split(placeholder)).toHaveLength(2);
    const [, command = ""] = /`(sed -i '[^']+') README\.md`/.exec(readme) ?? [];
    const [, script = ""] = /'([^']+)'/.exec(command) ?? [];
    const { stdout } = spawnSync("sed", [script], { input: readme, encoding: "utf8" });
    expect(stdout).toContain("github.com%2Fyour-name%2Fnext-trpc-storage");
    expect(stdout).not.toContain(placeholder);
  },
);

test("nothing else holds the placeholder", () => {
  // In a copy that is not a Git clone, this finds nothing.
  const { stdout } = spawnSync("git", ["grep", "-lE", "(github\\.com|raw\\.githubusercontent\\.com)(/|%2F)OWNER"], {
    encoding: "utf8",
  });
  const places = stdout.split("\n").filter((path) => path && path !== "tests/kit/scripts/readme.test.ts");
  expect(places.filter((path) => path !== "README.md")).toEqual([]);
});

test("the deploy button connects a Neon database and a private Blob store", async () => {
  const [, stores = ""] = /[?&]stores=([^&)]*)/.exec(await readFile("README.md", "utf8")) ?? [];
  expect(JSON.parse(decodeURIComponent(stores))).toEqual([
    { type: "integration", integrationSlug: "neon", productSlug: "neon" },
    { type: "blob", access: "private" },
  ]);
});

test("the deploy button asks for nothing that has a default", async () => {
  const [, env = ""] = /[?&]env=([^&)]*)/.exec(await readFile("README.md", "utf8")) ?? [];
  expect(env.split(",").sort()).toEqual(["APP_SECRET", "CRON_SECRET"]);
});
