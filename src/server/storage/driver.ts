import { env } from "../env";
import { processWide } from "../process-wide";
import { diskDriver } from "./drivers/disk";

/** The blob store that `STORAGE_DRIVER` names. */
export const blobs = processWide("blobs", () => diskDriver(env.STORAGE_DISK_PATH));
