import { startS3 } from "../../kit/stand-ins/s3";
import type { StandIn } from "../../kit/stand-ins/stand-in";
import { readWriteToken, startVercelBlob } from "../../kit/stand-ins/vercel-blob";

/** Unsets the folder of the tests. It has no effect with a cloud store, so the start would be refused. */
const onDisk = { STORAGE_DISK_PATH: "" };

/** Starts a stand-in of each cloud store; `settings` make an app use it. */
export const cloudStores = {
  S3: async (): Promise<OpenStore> => {
    const standIn = await startS3();
    return { standIn, settings: { ...onDisk, STORAGE_DRIVER: "s3", ...standIn.settings } };
  },
  "Vercel Blob": async (): Promise<OpenStore> => {
    const standIn = await startVercelBlob();
    const redirect = `--import ${new URL("../../kit/stand-ins/redirect-blob-host.mjs", import.meta.url).href}`;
    const token = { ...onDisk, VERCEL_BLOB_API_URL: standIn.apiUrl, BLOB_READ_WRITE_TOKEN: readWriteToken };
    return { standIn, settings: { ...token, BLOB_HOST_STAND_IN: standIn.url, NODE_OPTIONS: redirect } };
  },
};

interface OpenStore {
  standIn: StandIn;
  settings: Record<string, string>;
}

export type CloudStore = keyof typeof cloudStores;
