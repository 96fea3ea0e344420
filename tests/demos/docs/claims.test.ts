import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { pages } from "./pages";

// Sentences of the README and docs about Vercel, poolers, proxies and stores, each with the test that keeps it true.

const about =
  /[Vv]ercel|Neon\b|Supabase|PgBouncer|pooler|\bprox(y|ies)\b|nginx|balancer|CDN\b|\bS3\b|bucket|cloud store|Blob store|\b[Tt]he store\b/;

/** Pages for people who run the app. docs/protocol.md is the contract, which all other tests check. */
const isAboutRunning = (path: string) =>
  /^(README|docs\/(deploying|operating|limits|settings|files|live-queries|jobs|http-actions))\.md$/.test(path);

/** Splits a page into sentences. A row of a table and an item of a list count as one or several. */
function sentencesOf(prose: string): string[] {
  const parts = prose.split(/\n\s*\n|\n(?=- |\d+\. |\|)/).map((part) => part.replaceAll(/\s+/g, " ").trim());
  return parts
    .filter((part) => !part.startsWith("#"))
    .flatMap((part) => (part.startsWith("|") ? [part] : part.split(/(?<=[.:?])\s+(?=[A-Z`*[])/)));
}

const vercel = "tests/demos/vercel/vercel.test.ts";
const surroundings = "tests/kit/scripts/surroundings.test.ts";
const nginx = "tests/demos/e2e/nginx.spec.ts";
const pooler = "tests/kit/pooler.test.ts";
const direct = "tests/kit/storage/direct/direct-contract.ts";
const env = "tests/kit/storage/drivers/driver-env.test.ts";
const here = "tests/demos/docs/claims.test.ts";

/** The beginning or a part of each sentence, and its test: the file, and the name or the beginning of the name. */
const claims: [sentence: string, file: string, name: string][] = [
  // README.md
  [
    "Deploying](docs/deploying.md) | Vercel, containers",
    "tests/demos/docs/references.test.ts",
    "every page of docs is",
  ],
  ["[Deploy a copy on Vercel]", "tests/kit/scripts/readme.test.ts", "the deploy button connects a Neon database"],
  // Where it runs
  ["You need a PostgreSQL database (version 13", env, "%j chooses %j"],
  ["The button in the [README]", "tests/kit/scripts/readme.test.ts", "the deploy button asks for nothing"],
  ["- Neon's pooled URL is `DATABASE_URL`", surroundings, "%s names a direct connection"],
  ["- Files of 4 MiB and more are served by the Blob store", vercel, "takes what Vercel's limit on bodies keeps out"],
  ["Downloads under another name (`downloadAs`) do pass", direct, "serving: through the app, or by a redirect"],
  ["See [jobs on Vercel]", vercel, "runs crons for Vercel alone"],
  ["`npm run test:vercel` builds the project as Vercel", vercel, "is well, and has a page"],
  ["It downloads Vercel's command line.", vercel, "is well, and has a page"],
  ["`compose.yaml` runs the app, PostgreSQL and a store", surroundings, "of compose.yaml publishes the store"],
  ["Processes that do not share this folder need", "tests/kit/deleted-files.test.ts", "is noticed by its id"],
  // Proxies
  ["This is a whole configuration for nginx", nginx, "behind nginx as the documentation configures it"],
  ["Other proxies need the same:", nginx, "behind nginx as the documentation configures it"],
  ["Set `TRUST_PROXY` to the number of proxies", "tests/kit/limits.test.ts", "an address that the client wrote itself"],
  ["See [limits](limits.md#what-a-proxy-has", nginx, "behind nginx as the documentation configures it"],
  ["Behind a proxy, set `TRUST_PROXY`.", "tests/kit/limits.test.ts", "an address that the client wrote itself"],
  ["Without it, a private address is probably that", "tests/kit/limits.test.ts", "without a trusted proxy"],
  ["On the open internet, put a proxy or a load", nginx, "behind nginx as the documentation configures it"],
  ["| `partBufferBytes` |", "tests/kit/storage/drivers/parts.test.ts", "holds senders that stopped in files"],
  [
    "A proxy in front must pass on the events",
    "tests/demos/e2e/surroundings.spec.ts",
    "one's own messages and pictures",
  ],
  ["| `TRUST_PROXY` | 0 |", "tests/kit/request-id.test.ts", "is taken from a proxy that is trusted"],
  ["| `KEEP_ALIVE_TIMEOUT` | 70000 |", nginx, "idle connections outlive those of balancers"],
  ["| `STORAGE_CACHE` |", "tests/kit/storage/serve/file-headers.test.ts", "fileHeaders with STORAGE_CACHE=public"],
  [
    "Chunks also get smaller when a proxy refuses",
    "tests/demos/e2e/resume-uploads.spec.ts",
    "an upload to the disk continues",
  ],
  ["Browsers, proxies and mail scanners may keep it", "tests/kit/storage/file-url.test.ts", "test("],
  ["Every answer has an `X-Request-Id`, on Vercel", "tests/kit/request-id.test.ts", "is taken from Vercel"],
  // Poolers
  ["A transaction pooler may serve `DATABASE_URL`", pooler, "the main flow works"],
  ["All connections are in UTC; a pooler that ignores", "tests/kit/pool.test.ts", "cannot be wrong behind a pooler"],
  [
    "Each migration takes the rights that default privileges gave",
    "tests/kit/scripts/closed-tables.test.ts",
    "shows nothing to another role, although default privileges gave it the right",
  ],
  ["A transaction pooler (PgBouncer, Supabase's port", pooler, "changes are heard of, although it delivers no"],
  ["| `DIRECT_DATABASE_URL` |", surroundings, "%s names a direct connection"],
  ["| `DATABASE_POOL_SIZE` |", "tests/kit/database.test.ts", "a process has 17 connections at most"],
  // Stores
  [
    "Pages send large files straight to a cloud store",
    "tests/demos/e2e/large-files.spec.ts",
    "behind a host that refuses",
  ],
  [
    "- Files of more than 4 MB go straight to a cloud store",
    "tests/demos/e2e/large-files.spec.ts",
    "behind a host that",
  ],
  ["Before such an upload becomes a file, the app checks", direct, "an announced SHA-256 that is the file's is taken"],
  ["**S3.** Keep the bucket private.", direct, "serving: through the app, or by a redirect"],
  ["| the bucket's objects |", here, "the permissions for S3 are those of the driver's calls"],
  ["| the bucket | `s3:ListBucket`", here, "the permissions for S3 are those of the driver's calls"],
  ["The bucket's CORS rules allow `PUT`", "tests/demos/e2e/large-files.spec.ts", "behind a host that refuses"],
  ["| `S3_BUCKET`, `S3_REGION` |", env, "%j is refused with %s"],
  ["| `S3_ENDPOINT` |", env, "%j chooses %j"],
  [
    "**Vercel Blob.** Connect a private store",
    "tests/kit/storage/drivers/vercel-blob.test.ts",
    "put and get of %i bytes",
  ],
  ["Vercel sets `BLOB_READ_WRITE_TOKEN` or", env, "%j chooses %j"],
  ["| `BLOB_READ_WRITE_TOKEN`, `BLOB_STORE_ID` |", env, "%j chooses %j"],
  ["| `STORAGE_REDIRECT_ABOVE` |", vercel, "takes what Vercel's limit on bodies keeps out"],
  ["With `STORAGE_REDIRECT_ABOVE` the store serves", direct, "serving: through the app, or by a redirect"],
  ["- Where `STORAGE_REDIRECT_ABOVE` is set, the store", direct, "serving: through the app, or by a redirect"],
  ["Its answer has the file's type and disposition", direct, "serving: a large file that browsers must not show"],
  ["It comes from the store's host, where no script", vercel, "takes what Vercel's limit on bodies keeps out"],
  ["The store's URL works for up to an hour", direct, "serving: a large file that browsers must not show"],
  ["Where a cloud store serves large files itself, a URL", direct, "serving: a large file that browsers must not show"],
  ["the store still has every byte", "tests/kit/storage/backup.test.ts", "a database that was restored to an earlier"],
  ["With the store of another database, the app warns", "tests/kit/deleted-files.test.ts", "is noticed by its id"],
  [
    "When a browser cannot send to the store",
    "tests/demos/e2e/unreachable-store.spec.ts",
    "a file goes through the app",
  ],
  [
    "When the browser cannot reach the store",
    "tests/demos/e2e/unreachable-store.spec.ts",
    "a file goes through the app",
  ],
  ["- Files of up to 64 MiB are hashed in the browser", direct, "an announced SHA-256 that is the file's is taken"],
  ["Point its name at the same server or proxy.", "tests/demos/e2e/surroundings.spec.ts", "FILES_ORIGIN"],
  ["Its name is taken from `Host`", "tests/kit/http/files-host.test.ts", "x-forwarded-host"],
  [
    "Do not let the proxy replace both.",
    "tests/kit/http/files-host.test.ts",
    "the app's host sends requests for files",
  ],
  ["On Vercel it is refused, because Vercel serves", "tests/kit/check-settings.test.ts", "FILES_ORIGIN"],
  [
    "The statement that makes a file's row also",
    "tests/kit/storage/on-stored.test.ts",
    "runs each function once for each",
  ],
  ["With a cloud store, and for files of 4 GiB and more", "tests/kit/storage/stored-blob.test.ts", "a File"],
  [
    "`npm run kit -- doctor --url https://files.example.com`",
    "tests/kit/doctor/proxy.test.ts",
    "an app without a proxy",
  ],
  [
    "| database | version and time zone, the clock",
    "tests/kit/doctor/database.test.ts",
    "a pooler in transaction mode",
  ],
  ["| store | writes, reads, asks for a range", "tests/kit/doctor/s3.test.ts", "a sound bucket has no findings"],
  ["| proxy | HTTPS, the origin, the limit", "tests/kit/doctor/proxy.test.ts", "with the lines that were named has no"],
  ["With `--url` it asks a deployment from outside", "tests/kit/doctor/proxy.test.ts", "an app that cannot be reached"],
  [
    "What it writes to the store is deleted again.",
    "tests/kit/doctor/s3.test.ts",
    "a sound bucket has no findings, and keeps",
  ],
  [
    "On Vercel there are only spans",
    "tests/kit/log/tracing.test.ts",
    "a function, its transaction, and calls of the blob",
  ],
  ["Files move between any two stores", "tests/kit/storage/move.test.ts", "files move to a bucket while the app runs"],
  ["New files go to the bucket, and both are read.", "tests/kit/storage/move.test.ts", "files move to a bucket while"],
  // Vercel, on other pages
  ["| `DIRECT_ROUTES` |", "tests/kit/http/direct-routes.test.ts", "functions, uploads and files are served directly"],
  ["| `APP_ORIGIN` |", "tests/kit/origin.test.ts", "%s, asked as %s: %s"],
  ["| `MIGRATE_PREVIEWS` |", surroundings, "a preview leaves the database as it is"],
  ["| `STORAGE_DRIVER` |", env, "%j chooses %j"],
  ["| `auto` | `poll` on Vercel", vercel, "tells pages to look for changes"],
  ["A process on Vercel runs only while it answers", vercel, "runs what a request scheduled once it is answered"],
  ["`vercel.json` calls it once a day", here, "vercel.json migrates before it builds"],
  ["Hosts may have a lower limit, for example 4.5 MB", vercel, "takes what Vercel's limit on bodies keeps out"],
  ["- On Vercel, the function that makes an image", vercel, "runs what a request scheduled once it is answered"],
];

test("every sentence about Vercel, poolers, proxies and stores is held by a test", () => {
  const said = pages
    .filter(({ path }) => isAboutRunning(path))
    .flatMap(({ path, prose }) => sentencesOf(prose).map((sentence) => ({ path, sentence })))
    .filter(({ sentence }) => about.test(sentence));
  const unheld = said.filter(({ sentence }) => !claims.some(([part]) => sentence.includes(part)));
  expect(unheld.map(({ path, sentence }) => `${path}: ${sentence}`)).toEqual([]);
  const gone = claims.filter(([part]) => !said.some(({ sentence }) => sentence.includes(part)));
  expect(gone.map(([part]) => part)).toEqual([]);
});

test.each(claims)("%s: %s has its test", async (_, file, name) => {
  expect(await readFile(file, "utf8")).toContain(name);
});

test("vercel.json migrates before it builds, calls /api/cron once a day, and lets uploads and downloads take 300 seconds", async () => {
  const { buildCommand, crons, functions } = JSON.parse(await readFile("vercel.json", "utf8"));
  expect(buildCommand).toBe("npm run db:migrate -- --deploy && npm run build");
  expect(crons).toEqual([{ path: "/api/cron", schedule: expect.stringMatching(/^\d+ \d+ \* \* \*$/) }]);
  expect(functions["src/pages/api/storage/**/*.ts"]).toEqual({ maxDuration: 300 });
});

test("the permissions for S3 are those of the driver's calls", async () => {
  const source = await readFile("src/kit/storage/drivers/s3.ts", "utf8");
  const needed: Record<string, string> = {
    CompleteMultipartUpload: "PutObject",
    CreateMultipartUpload: "PutObject",
    HeadBucket: "ListBucket",
    HeadObject: "GetObject",
    ListMultipartUploads: "ListBucketMultipartUploads",
    ListObjectsV2: "ListBucket",
    ListParts: "ListMultipartUploadParts",
    UploadPart: "PutObject",
  };
  const calls = [...source.matchAll(/sdk\.(\w+)Command\(/g)].map(([, call = ""]) => `s3:${needed[call] ?? call}`);
  const page = await readFile("docs/deploying.md", "utf8");
  const named = [...page.matchAll(/`(s3:\w+)`/g)].map(([, name]) => name);
  expect(named.sort()).toEqual([...new Set(calls)].sort());
});
