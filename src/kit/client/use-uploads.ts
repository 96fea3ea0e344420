"use client";

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { createUploadQueue, type UploadQueueOptions } from "./upload-queue";
import { useOutgoing } from "./use-outgoing";

export interface UploadOptions extends UploadQueueOptions {
  /** The list in which saved files appear, as far as it is loaded. Until a file is in it, `pending` has its upload. */
  shownIn?: readonly { storageId: string | null }[];
}

let busyQueues = 0;

/** Asks before uploads are stopped by a link to another page; `true` when it may be followed. */
export function confirmLeaving(): boolean {
  return busyQueues === 0 || window.confirm("Leave this page? What is being uploaded will be stopped.");
}

/**
 * A queue of files for one component. Uploads that are under way stop with it, and leaving the page meanwhile asks first.
 *
 * `add(files)` queues files, `retry(id)` tries a failed upload again and `retry()` all of them, `remove(id)` cancels an
 * upload or dismisses a failed one. `pending` has the uploads to show: those under way, and those that failed.
 * `uploads` has those that are done too.
 *
 * @example
 * const { pending, add, retry, remove } = useUploads({
 *   generateUploadUrl: () => client.files.generateUploadUrl.mutate(),
 *   onUploaded: async ({ storageId, file }) => {
 *     await client.files.saveFile.mutate({ storageId, name: file.name });
 *   },
 * });
 * return <UploadList uploads={pending} onRetry={retry} onRemove={remove} />;
 */
export function useUploads(options: UploadOptions) {
  const current = useRef(options);
  useEffect(() => {
    current.current = options;
  });
  const [queue] = useState(() =>
    createUploadQueue({
      concurrency: options.concurrency,
      generateUploadUrl: () => current.current.generateUploadUrl(),
      onUploaded: (upload) => current.current.onUploaded(upload),
      refuse: (file) => current.current.refuse?.(file) ?? null,
    }),
  );
  const uploads = useSyncExternalStore(queue.subscribe, queue.getSnapshot, queue.getSnapshot);
  useEffect(() => () => queue.getSnapshot().forEach(({ id }) => void queue.remove(id)), [queue]);

  const isBusy = uploads.some(({ state }) => state !== "done" && state !== "failed");
  useEffect(() => {
    if (!isBusy) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    busyQueues += 1;
    return () => {
      window.removeEventListener("beforeunload", ask);
      busyQueues -= 1;
    };
  }, [isBusy]);

  const pending = useOutgoing(uploads, options.shownIn);
  return { uploads, pending, add: queue.add, retry: queue.retry, remove: queue.remove };
}
