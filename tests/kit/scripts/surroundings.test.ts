import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { onVercel } from "~/kit/process/env";
import { readDriverEnv } from "~/kit/storage/blobs";
import { confirmFarDatabase, directUrl, isNearby } from "../../../scripts/database.mjs";

const script = (name: string) => fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));
const run = (name: string, env: Record<string, string | undefined>, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script(name), ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, text: stdout + stderr };
};

describe("a database that is far away", () => {
  test.each([
    ["postgresql://localhost/a", true],
    ["postgresql://127.0.0.1:5432/a", true],
    ["postgresql://[::1]/a", true],
    ["postgresql://10.1.2.3/a", true],
    ["postgresql://172.20.0.2/a", true],
    ["postgresql://192.168.1.2/a", true],
    ["postgresql://database:5432/a", true],
    ["postgresql://db.internal/a", true],
    ["postgresql:///a?host=/var/run/postgresql", true],
    ["postgresql://ep-1.eu-central-1.aws.neon.tech/a", false],
    ["postgresql://db.abc.supabase.co:5432/a", false],
    ["postgresql://8.8.8.8/a", false],
    ["postgresql://172.32.0.1/a", false],
    ["postgresql://10.example.com/a", false],
    ["postgresql://localhost/a?host=db.example.com", false],
    ["postgresql://%2Fvar%2Frun%2Fpostgresql/a", true],
    ["postgresql://localhost/a?host=%2Fvar%2Frun%2Fpostgresql", true],
  ])("%s: nearby is %s", (url, nearby) => {
    expect(isNearby(url)).toBe(nearby);
  });

  test("is not emptied by npm run db:reset, also when only a parameter of its URL names it", () => {
    for (const url of ["postgresql://127.0.0.2/a", "postgresql://localhost/a?host=127.0.0.2"]) {
      const { status, text } = run("db.mjs", { DATABASE_URL: url, DIRECT_DATABASE_URL: "" }, "reset");
      expect([status, text]).toEqual([1, expect.stringContaining("The database is on 127.0.0.2, not on this machine")]);
    }
  });

  describe("is not migrated and seeded by development", () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "far-"));
    });
    afterAll(() => rm(folder, { recursive: true }));

    test("without a word: without a terminal it is refused, and the flag is named; confirmed once, it is known", async () => {
      const memory = join(folder, "remote-databases");
      const url = "postgresql://user:secret@ep-1.neon.tech/app";
      const ask = (confirmed: boolean) => confirmFarDatabase(url, { confirmed, memory });
      await expect(ask(false)).rejects.toThrow(/app on ep-1\.neon\.tech.*npm run dev -- --remote-database/);
      await ask(true);
      expect(await readFile(memory, "utf8")).toBe("ep-1.neon.tech\n");
      await ask(false);
    });
  });
});

test.each([["DIRECT_DATABASE_URL"], ["DATABASE_URL_UNPOOLED"], ["POSTGRES_URL_NON_POOLING"]])(
  "%s names a direct connection",
  (name) => {
    const before = process.env[name];
    process.env[name] = "postgresql://direct/a";
    expect(directUrl()).toBe("postgresql://direct/a");
    if (before === undefined) delete process.env[name];
  },
);

describe("deploying", () => {
  test.each(["schema=app", "options=-c%20search_path%3Dapp"])(
    "to a schema that the URL names (%s) is refused",
    (query) => {
      const { status, text } = run(
        "db.mjs",
        { DATABASE_URL: `postgresql://127.0.0.1:9/a?${query}` },
        "migrate",
        "--deploy",
      );
      expect(status).toBe(1);
      expect(text).toContain('The database URL of 127.0.0.1 has "schema=app"');
    },
  );

  test("without DATABASE_URL a deployment's build fails, and starts no database of its own", () => {
    for (const env of [{ VERCEL: "1" }, {}, { NODE_ENV: "production" }]) {
      const none = { DATABASE_URL: "", DIRECT_DATABASE_URL: "", VERCEL: undefined, CI: undefined, ...env };
      const { status, text } = run("db.mjs", none, "migrate", "--deploy");
      expect([status, text]).toEqual([1, expect.stringContaining("DATABASE_URL is not set")]);
    }
  });

  test("a setting of previews that is neither 1 nor 0 is refused", () => {
    const { status, text } = run("db.mjs", { MIGRATE_PREVIEWS: "true", DATABASE_URL: "" }, "migrate", "--deploy");
    expect([status, text]).toEqual([1, expect.stringContaining('MIGRATE_PREVIEWS is "true". Put 1 there')]);
  });

  test("on a developer's machine, what `vercel env pull` wrote is no deployment", () => {
    const pulled = { VERCEL: "1", VERCEL_ENV: "development", NODE_ENV: "development" };
    expect(onVercel(pulled)).toBe(false);
    expect(readDriverEnv(pulled).STORAGE_DRIVER).toBe("disk");
  });

  test("a preview leaves the database as it is, unless it is told otherwise", () => {
    const far = { VERCEL: "1", VERCEL_ENV: "preview", DATABASE_URL: "postgresql://127.0.0.1:1/none" };
    expect(run("db.mjs", far, "migrate", "--deploy")).toEqual({
      status: 0,
      text: expect.stringContaining("MIGRATE_PREVIEWS=1"),
    });
    expect(run("db.mjs", { ...far, MIGRATE_PREVIEWS: "1" }, "migrate", "--deploy").text).toContain("Cannot connect");
  });
});

test.each(["pnpm/10.1.0 npm/? node/v20", "yarn/1.22.22 npm/? node/v20", "bun/1.2.0 npm/? node/v20"])(
  "npm run dev by %s is refused in one line",
  (userAgent) => {
    const { status, text } = run("dev.mjs", { npm_config_user_agent: userAgent });
    expect(status).toBe(1);
    expect(text.trim().split("\n")).toEqual([expect.stringContaining("npm run dev")]);
  },
);

describe("a container", () => {
  test.skipIf(process.platform === "win32")(
    "listens at every address and is asked at its own, whatever its platform calls HOSTNAME",
    async () => {
      const lines = (await readFile("Dockerfile", "utf8")).split("\n");
      const command: string[] = JSON.parse(lines.find((line) => line.startsWith("CMD "))?.slice(4) ?? "[]");
      const [program = "", ...args] = command.flatMap((word) =>
        word === "server.js" ? ["-p", "process.env.HOSTNAME"] : [word],
      );
      const env = { ...process.env, HOSTNAME: "name-of-the-container" };
      expect(spawnSync(program, args, { encoding: "utf8", env }).stdout.trim()).toBe("0.0.0.0");
      expect(lines.find((line) => line.startsWith("HEALTHCHECK"))).toContain("http://127.0.0.1:");
    },
  );

  test("of compose.yaml publishes the store to this machine alone, under a name that every browser knows", async () => {
    const compose = await readFile("compose.yaml", "utf8");
    expect(compose).toContain("S3_ENDPOINT: http://localhost:8333");
    expect([...compose.matchAll(/"([\d.:]*):8333"/g)].map(([, at]) => at)).toEqual(["127.0.0.1:8333"]);
  });
});

test("with a Node.js that is too old npm run dev says so in one line, before it installs anything", () => {
  const pretend =
    'Object.defineProperty(process.versions, "node", { value: "18.20.4" }); await import(process.argv[1]);';
  const args = ["--input-type=module", "--eval", pretend, pathToFileURL(script("dev.mjs")).href];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(status).toBe(1);
  expect((stdout + stderr).trim().split("\n")).toEqual([expect.stringMatching(/Node\.js 20\.19 or later.*18\.20\.4/)]);
});

test("a file of functions that index.ts does not list is named, with the lines to add", async () => {
  const folder = await mkdtemp(join(tmpdir(), "functions-"));
  await writeFile(join(folder, "index.ts"), 'import * as listed from "./listed";');
  await writeFile(join(folder, "listed.ts"), "export const one = query({ handler: () => 1 });");
  await writeFile(join(folder, "forgotten.ts"), "export const two = userMutation({ handler: () => 2 });");
  await writeFile(join(folder, "none.ts"), "export const three = 3;");
  const { status, text } = run("check.mjs", {}, "functions", folder);
  await rm(folder, { recursive: true });
  expect([status, text.trim().split("\n")]).toEqual([
    1,
    [expect.stringContaining('import * as forgotten from "./forgotten"')],
  ]);
});
