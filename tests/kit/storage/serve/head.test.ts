import { afterEach, expect, test, vi } from "vitest";
import { pool } from "~/kit/database/database";
import { blobs } from "~/kit/storage/blobs";
import { serve } from "~/kit/storage/serve";
import { storage, uploadFile } from "../kit";

afterEach(() => vi.restoreAllMocks());

async function fileUrl() {
  const storageId = await uploadFile("bytes");
  return { storageId, url: (await storage.getUrl(storageId)) ?? "" };
}

test("HEAD of a file whose bytes are gone says what GET says", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const { storageId, url } = await fileUrl();
  expect((await serve(new Request(url, { method: "HEAD" }))).status).toBe(200);
  const { rows } = await pool.query('SELECT "blobKey" FROM "_storage" WHERE "_id" = $1', [storageId]);
  await blobs.delete(rows[0].blobKey);
  expect((await serve(new Request(url))).status).toBe(500);
  const head = await serve(new Request(url, { method: "HEAD" }));
  expect([head.status, head.body]).toEqual([500, null]);
});

test("Last-Modified is never later than now, also where the database's clock is ahead", async () => {
  const { storageId, url } = await fileUrl();
  const client = await pool.connect();
  await client.query("BEGIN");
  await client.query("SELECT set_config('storage.row', $1, true)", [storageId]);
  await client.query(`UPDATE "_storage" SET "_creationTime" = now() + interval '5 minutes' WHERE "_id" = $1`, [
    storageId,
  ]);
  await client.query("COMMIT");
  client.release();
  const response = await serve(new Request(url));
  const lastModified = response.headers.get("last-modified") ?? "";
  expect(Date.parse(lastModified)).toBeLessThanOrEqual(Date.parse(response.headers.get("date") ?? ""));
  const again = await serve(new Request(url, { headers: { "If-Modified-Since": lastModified } }));
  expect(again.status).toBe(304);
});
