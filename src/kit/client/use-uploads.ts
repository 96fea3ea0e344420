"use client";

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useConfirmedLeaving } from "./leaving";
import { discardChunks } from "./resumable";
import { forget, listUnfinished, type Unfinished } from "./unfinished";
import { arrivesWithinMs, createUploadQueue, type Upload, type UploadQueueOptions } from "./upload-queue";
import { useViewer } from "./viewer";

export interface UploadOptions extends UploadQueueOptions {
  /** The rows of the list in which saved files appear. `pending` keeps an upload until its file is in this list. */
  shownIn?: readonly { storageId: string | null }[];
}

/**
 * A queue of uploads for one component. Uploads stop when the component unmounts. Leaving the page meanwhile asks for
 * confirmation.
 *
 * `add(files)` queues files, in any number. `retry(id)` retries a failed upload or continues a paused one, and `retry()` all of them.
 * `pause(id)` pauses one. `remove(id)` cancels an upload or dismisses a failed one. `pending` has the uploads to show, which
 * run or failed. `uploads` has the finished ones too.
 *
 * An upload of a large file continues after a reload or a crash, when the same file is added on the same page again.
 * `unfinished` has these uploads, and `forget(upload)` gives one up. `UnfinishedUploads` shows them.
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
  const viewer = useViewer()?.id ?? null;
  const currentViewer = useRef(viewer);
  useEffect(() => {
    currentViewer.current = viewer;
  });
  const [queue] = useState(() =>
    createUploadQueue({
      owner: () => ({ page: window.location.pathname, viewer: currentViewer.current }),
      concurrency: options.concurrency,
      stripMetadata: options.stripMetadata,
      generateUploadUrl: () => current.current.generateUploadUrl(),
      onUploaded: (upload) => current.current.onUploaded(upload),
      refuse: (file) => current.current.refuse?.(file) ?? null,
    }),
  );
  const uploads = useSyncExternalStore(queue.subscribe, queue.getSnapshot, queue.getSnapshot);
  useEffect(() => queue.stop, [queue]);

  const [left, setLeft] = useState<Unfinished[]>([]);
  useEffect(() => {
    void listUnfinished(window.location.pathname, viewer).then(setLeft);
  }, [viewer]);
  const forgetLeft = ({ url }: Unfinished) => {
    setLeft((uploads) => uploads.filter((upload) => upload.url !== url));
    void forget(url);
    void discardChunks(url);
  };
  // Leaves out uploads that were added again, because they are in the queue.
  const unfinished = left.filter(
    ({ name, size }) => !uploads.some(({ file }) => file.name === name && file.size === size),
  );

  const isBusy = uploads.some(({ state }) => !["done", "failed", "paused"].includes(state));
  useConfirmedLeaving(isBusy);

  const pending = useOutgoing(uploads, options.shownIn);
  const { add, retry, pause, remove } = queue;
  return { uploads, pending, unfinished, add, retry, pause, remove, forget: forgetLeft };
}

/** Returns all ids that a list has had. A row that was there once has arrived, even when it is deleted later. */
export function useArrivals(ids: readonly (string | null)[]): ReadonlySet<string> {
  const arrivals = useRef(new Set<string>());
  for (const id of ids) if (id !== null) arrivals.current.add(id);
  return arrivals.current;
}

/** Saved uploads as they are shown until they are in the list. The same upload is the same object, so that its row stays as it is. */
const shownAsSaving = new WeakMap<Upload, Upload>();

function asSaving(upload: Upload): Upload {
  const shown = shownAsSaving.get(upload) ?? { ...upload, state: "saving" };
  shownAsSaving.set(upload, shown);
  return shown;
}

/** Returns the uploads that are not done, and those that are saved but not yet in `list`. */
function useOutgoing(uploads: readonly Upload[], list?: readonly { storageId: string | null }[]): Upload[] {
  const arrived = useArrivals(list?.map(({ storageId }) => storageId) ?? []);
  if (!list) return uploads.filter(({ state }) => state !== "done");
  const longAgo = Date.now() - arrivesWithinMs;
  return uploads
    .filter(({ storageId, doneAt }) => !(storageId && arrived.has(storageId)) && (doneAt === null || doneAt > longAgo))
    .map((upload) => (upload.state === "done" ? asSaving(upload) : upload));
}
