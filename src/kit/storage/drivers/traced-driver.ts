import { traced } from "../../log/traced";
import type { BlobDriver } from "./driver";

/** The driver, each call of it a span. */
export function tracedDriver(driver: BlobDriver): BlobDriver {
  const span = <R>(operation: string, key: string, call: () => Promise<R>) =>
    traced(`blob ${operation}`, { "blob.key": key }, call);
  return {
    ...driver,
    put: (...args) => span("put", args[0], () => driver.put(...args)),
    get: (key, range) => span("get", key, () => driver.get(key, range)),
    head: (key) => span("head", key, () => driver.head(key)),
    delete: (key) => span("delete", key, () => driver.delete(key)),
  };
}
