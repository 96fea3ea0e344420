import { afterAll } from "vitest";
import { redirectBlobHost } from "../../stand-ins/redirect-blob-host.mjs";
import { readWriteToken, startVercelBlob, type VercelBlobStandIn } from "../../stand-ins/vercel-blob";
import { describeDirect } from "./direct-contract";

let store: VercelBlobStandIn;
let restoreHost: () => void;

describeDirect("direct uploads to Vercel Blob", async () => {
  store = await startVercelBlob();
  restoreHost = redirectBlobHost(store.url);
  Object.assign(process.env, {
    VERCEL_BLOB_API_URL: store.apiUrl,
    VERCEL_BLOB_RETRIES: "0",
    BLOB_READ_WRITE_TOKEN: readWriteToken,
  });
  return {
    standIn: store,
    // The store forgets uploads in parts by itself.
    count: async () => ({ blobs: store.blobs.size, uploads: 0 }),
    async corrupt(bytes) {
      for (const blob of store.blobs.values()) blob.bytes = bytes;
    },
  };
});

afterAll(async () => {
  restoreHost();
  await store.stop();
});
