"use client";

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Id } from "../database/ids";
import { deadUrlCodes, UploadError, uploadFile } from "./upload";
import { explainError } from "./viewer";

export interface UploadOptions extends UploadQueueOptions {
  /** The rows of the list in which saved files appear. `pending` keeps an upload until its file is in this list. */
  shownIn?: readonly { storageId: string | null }[];
}

let busyQueues = 0;

/** Asks for confirmation when leaving the page would stop uploads. Returns whether a link may be followed. */
export function confirmLeaving(): boolean {
  return busyQueues === 0 || window.confirm("Leave this page? What is being uploaded will be stopped.");
}

/**
 * A queue of uploads for one component. Uploads stop when the component unmounts. Leaving the page meanwhile asks for
 * confirmation.
 *
 * `add(files)` queues files. `retry(id)` retries a failed upload, and `retry()` all of them. `remove(id)` cancels an upload or
 * dismisses a failed one. `pending` has the uploads to show, which run or failed. `uploads` has the finished ones too.
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
      stripMetadata: options.stripMetadata,
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

/** Returns all ids that a list has had. A row that was there once has arrived, even when it is deleted later. */
export function useArrivals(ids: readonly (string | null)[]): ReadonlySet<string> {
  const arrivals = useRef(new Set<string>());
  for (const id of ids) if (id !== null) arrivals.current.add(id);
  return arrivals.current;
}

/** Returns the uploads that are not done, and those that are saved but not yet in `list`. */
function useOutgoing(uploads: readonly Upload[], list?: readonly { storageId: string | null }[]): Upload[] {
  const arrived = useArrivals(list?.map(({ storageId }) => storageId) ?? []);
  if (!list) return uploads.filter(({ state }) => state !== "done");
  return uploads
    .filter(({ storageId }) => !(storageId && arrived.has(storageId)))
    .map((upload) => (upload.state === "done" ? { ...upload, state: "saving" } : upload));
}

export interface Upload {
  id: number;
  file: File;
  /** A `blob:` URL that shows an image before it is uploaded. `null` for other files. */
  previewUrl: string | null;
  /** Milliseconds since the epoch. */
  addedAt: number;
  /** `uploaded` waits for the files that were added before it, and `saving` for `onUploaded`. */
  state: "queued" | "uploading" | "uploaded" | "saving" | "done" | "failed";
  /** Bytes. */
  sent: number;
  storageId: Id<"_storage"> | null;
  /** Set when `failed`. */
  error: UploadError | null;
}

interface UploadQueueOptions {
  generateUploadUrl: () => Promise<string>;
  /** Saves the storage id. Called in the order in which files were added, and not for files that failed. */
  onUploaded: (upload: { storageId: Id<"_storage">; file: File }) => Promise<unknown>;
  /** Returns why a file is refused, for the person who chose it, or `null` to accept it. */
  refuse?: (file: File) => string | null;
  /** How many files are sent at the same time. */
  concurrency?: number;
  /**
   * Leaves out of JPEGs what says where, when and by whom they were taken, before they are sent. The pixels, the orientation and
   * the colour profile stay as they are.
   */
  stripMetadata?: boolean;
}

/** The private state of an upload. */
interface Job {
  /** The same number for files that were added together. */
  batch: number;
  abort: AbortController;
  /** Kept for a retry: if the answer was lost, the server repeats it for the same URL. */
  url?: string;
}

/**
 * Creates a queue of uploads, for `useSyncExternalStore`. The list of uploads is immutable: every change makes a new list and
 * notifies the subscribers.
 */
export function createUploadQueue({
  generateUploadUrl,
  onUploaded,
  refuse,
  concurrency = 3,
  stripMetadata = false,
}: UploadQueueOptions) {
  let uploads: readonly Upload[] = [];
  let lastId = 0;
  const jobs = new Map<number, Job>();
  const subscribers = new Set<() => void>();

  let isTelling = false;

  /** Notifies once per frame, because many files make many changes. */
  function publish(next: readonly Upload[]) {
    uploads = next;
    if (!isTelling) {
      isTelling = true;
      inNextFrame(() => {
        isTelling = false;
        for (const subscriber of subscribers) subscriber();
      });
    }
    startNext();
  }

  function update(id: number, change: Partial<Upload>) {
    publish(uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)));
  }

  /** Starts one step that is due. Because starting is a change, the other steps follow. */
  function startNext() {
    const hasRoom = uploads.filter(({ state }) => state === "uploading").length < concurrency;
    for (const upload of uploads) {
      const job = jobs.get(upload.id);
      if (!job) continue;
      if (upload.state === "queued" && hasRoom) return void send(upload, job);
      if (upload.state === "uploaded" && isItsTurn(upload, job)) return void save(upload);
    }
  }

  function isItsTurn({ id }: Upload, { batch }: Job): boolean {
    const before = uploads.filter((other) => other.id < id && jobs.get(other.id)?.batch === batch);
    return before.every(({ state }) => state === "done" || state === "failed");
  }

  async function send({ id, file }: Upload, job: Job) {
    const { signal } = job.abort;
    update(id, { state: "uploading", sent: 0 });
    try {
      job.url ??= await generateUploadUrl();
      const onProgress = (sent: number) => update(id, { sent });
      const { storageId } = await uploadFile({ url: job.url, file, onProgress, signal, stripMetadata });
      update(id, { state: "uploaded", sent: file.size, storageId });
    } catch (error) {
      if (error instanceof UploadError && deadUrlCodes.includes(error.code)) job.url = undefined;
      if (!signal.aborted) fail(id, error);
    }
  }

  async function save({ id, file, storageId }: Upload) {
    if (storageId === null) return;
    update(id, { state: "saving" });
    try {
      await onUploaded({ storageId, file });
      update(id, { state: "done" });
    } catch (error) {
      fail(id, error);
    }
  }

  function fail(id: number, cause: unknown) {
    const error =
      cause instanceof UploadError
        ? cause
        : new UploadError("NotSaved", explainError(cause), { retryable: true, cause });
    update(id, { state: "failed", error });
  }

  return {
    getSnapshot: () => uploads,

    subscribe(subscriber: () => void) {
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },

    /** Queues files. A refused file is listed as failed. */
    add(files: readonly File[]) {
      const batch = lastId;
      const added = files.map((file): Upload => {
        lastId += 1;
        jobs.set(lastId, { batch, abort: new AbortController() });
        const refusal = refuse?.(file) ?? null;
        return {
          id: lastId,
          file,
          previewUrl: file.type.startsWith("image/") ? URL.createObjectURL(file) : null,
          addedAt: Date.now(),
          state: refusal === null ? "queued" : "failed",
          sent: 0,
          storageId: null,
          error: refusal === null ? null : new UploadError("Refused", refusal, { retryable: false }),
        };
      });
      publish([...uploads, ...added]);
    },

    /** Retries a failed upload from the step that failed. Without an id it retries all failed uploads. */
    retry(id?: number) {
      for (const upload of uploads) {
        if (!upload.error?.retryable || (id ?? upload.id) !== upload.id) continue;
        update(upload.id, { state: upload.storageId ? "uploaded" : "queued", error: null });
      }
    },

    /** Cancels an upload, or removes a failed or finished one from the list. */
    remove(id: number) {
      const upload = uploads.find((candidate) => candidate.id === id);
      if (upload?.previewUrl) URL.revokeObjectURL(upload.previewUrl);
      jobs.get(id)?.abort.abort();
      jobs.delete(id);
      publish(uploads.filter((candidate) => candidate.id !== id));
    },
  };
}

/** Hidden pages have no frames, and neither has the server. */
function inNextFrame(run: () => void): void {
  if (typeof requestAnimationFrame === "undefined") run();
  else if (document.hidden) setTimeout(run, 100);
  else requestAnimationFrame(run);
}
