import { useRef } from "react";
import type { Upload } from "./upload-queue";

/** Remembers which ids a list has had: what was there once has arrived, also when it is deleted again. */
export function useArrivals(ids: readonly (string | null)[]): ReadonlySet<string> {
  const arrivals = useRef(new Set<string>());
  for (const id of ids) if (id !== null) arrivals.current.add(id);
  return arrivals.current;
}

/** The uploads that are not done, or that are on their way to `list`: a saved one is, for the moment until it has it. */
export function useOutgoing(uploads: readonly Upload[], list?: readonly { storageId: string | null }[]): Upload[] {
  const arrived = useArrivals(list?.map(({ storageId }) => storageId) ?? []);
  if (!list) return uploads.filter(({ state }) => state !== "done");
  return uploads
    .filter(({ storageId }) => !(storageId && arrived.has(storageId)))
    .map((upload) => (upload.state === "done" ? { ...upload, state: "saving" } : upload));
}
