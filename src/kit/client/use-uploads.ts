"use client";

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Id } from "../database/ids";
import { discardChunks } from "./resumable";
import { describeFile, forget, inOneTab, isSameFile, listUnfinished, remember, type Unfinished } from "./unfinished";
import { type Begun, smallFileBytes, uploadFile } from "./upload";
import { deadUrlCodes, explainAnswer, UploadError } from "./upload-request";
import { explainError, useViewer } from "./viewer";

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
 * `add(files)` queues files. `retry(id)` retries a failed upload or continues a paused one, and `retry()` all of them.
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
  // Those that were added again are in the queue.
  const unfinished = left.filter(
    ({ name, size }) => !uploads.some(({ file }) => file.name === name && file.size === size),
  );

  const isBusy = uploads.some(({ state }) => !["done", "failed", "paused"].includes(state));
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
  const { add, retry, pause, remove } = queue;
  return { uploads, pending, unfinished, add, retry, pause, remove, forget: forgetLeft };
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
  state: "queued" | "uploading" | "paused" | "uploaded" | "saving" | "done" | "failed";
  /** Bytes. */
  sent: number;
  /** Bytes a second, of the last seconds. `null` until it is known. */
  speed: number | null;
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

interface QueueOptions extends UploadQueueOptions {
  /** Where and for whom unfinished uploads are remembered. Without it they are not. */
  owner?: () => Pick<Unfinished, "page" | "viewer">;
}

/** The private state of an upload. */
interface Job {
  /** The same number for files that were added together. */
  batch: number;
  abort: AbortController;
  /** Kept for a retry: if the answer was lost, the server repeats it for the same URL. */
  url?: string;
  /** What is remembered of an upload of a large file. */
  unfinished?: Unfinished;
}

/** How often the progress of an upload is remembered. */
const rememberMs = 2_000;

/** Over how many milliseconds the speed is measured. */
const speedMs = 3_000;

/**
 * Creates a queue of uploads, for `useSyncExternalStore`. The list of uploads is immutable: every change makes a new list and
 * notifies the subscribers.
 */
export function createUploadQueue(options: QueueOptions) {
  const { generateUploadUrl, onUploaded, refuse, concurrency = 3, stripMetadata = false, owner } = options;
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

  async function send({ id, file, sent }: Upload, job: Job) {
    job.abort = new AbortController();
    const { signal } = job.abort;
    update(id, { state: "uploading", sent, speed: null });
    try {
      const { storageId } = await uploadOnce(id, file, job, signal);
      update(id, { state: "uploaded", sent: file.size, storageId });
    } catch (error) {
      if (signal.aborted) return;
      const isDead = error instanceof UploadError && deadUrlCodes.includes(error.code);
      if (job.url && (isDead || (error instanceof UploadError && !error.retryable))) void forget(job.url);
      if (isDead) Object.assign(job, { url: undefined, unfinished: undefined });
      fail(id, error);
    }
  }

  /** Sends the file, and continues what an earlier page began. */
  async function uploadOnce(id: number, file: File, job: Job, signal: AbortSignal) {
    const isLarge = owner !== undefined && file.size > smallFileBytes;
    const description = isLarge ? await describeFile(file) : null;
    if (description && owner && !job.url) {
      const { page, viewer } = owner();
      job.unfinished = (await listUnfinished(page, viewer)).find((each) => isSameFile(each, description));
      job.url = job.unfinished?.url;
    }
    const url = job.url ?? (await generateUploadUrl());
    job.url = url;
    let rememberedAt = 0;
    const points = [{ at: performance.now(), sent: -1 }];
    const onProgress = (sent: number) => {
      const at = performance.now();
      points.push({ at, sent });
      while (points[0] && (points[0].sent < 0 || points[0].sent > sent || points[0].at < at - speedMs)) points.shift();
      const [first] = points;
      const speed = first && at - first.at > 500 ? (1000 * (sent - first.sent)) / (at - first.at) : undefined;
      update(id, { sent, ...(speed !== undefined && { speed }) });
      if (!job.unfinished || at < rememberedAt + rememberMs) return;
      rememberedAt = at;
      job.unfinished = { ...job.unfinished, sent };
      void remember(job.unfinished);
    };
    const onBegun = (direct: Begun | null) => {
      if (!description || !owner) return;
      const sent = uploads.find((upload) => upload.id === id)?.sent ?? 0;
      job.unfinished = { ...description, ...owner(), url, sent, direct };
      void remember(job.unfinished);
    };
    const begun = job.unfinished?.direct;
    const sending = () => uploadFile({ url, file, onProgress, signal, stripMetadata, begun, onBegun });
    const uploaded = await (description ? inOneTab(url, sending) : sending());
    if (uploaded) return uploaded;
    job.url = undefined;
    throw explainAnswer(0, "OtherTab");
  }

  async function save({ id, file, storageId }: Upload) {
    if (storageId === null) return;
    update(id, { state: "saving" });
    try {
      await onUploaded({ storageId, file });
      const url = jobs.get(id)?.unfinished?.url;
      if (url) void forget(url);
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
          speed: null,
          storageId: null,
          error: refusal === null ? null : new UploadError("Refused", refusal, { retryable: false }),
        };
      });
      publish([...uploads, ...added]);
    },

    /** Retries a failed upload from the step that failed, or continues a paused one. Without an id it does so with all. */
    retry(id?: number) {
      for (const upload of uploads) {
        const waits = upload.state === "paused" || upload.error?.retryable;
        if (!waits || (id ?? upload.id) !== upload.id) continue;
        update(upload.id, { state: upload.storageId ? "uploaded" : "queued", error: null });
      }
    },

    /** Pauses an upload that waits or is being sent. What has arrived stays there for a day. */
    pause(id: number) {
      const state = uploads.find((upload) => upload.id === id)?.state;
      if (state !== "queued" && state !== "uploading") return;
      jobs.get(id)?.abort.abort();
      update(id, { state: "paused", speed: null });
    },

    /** Stops all uploads. Those of large files can continue. */
    stop() {
      for (const { abort } of jobs.values()) abort.abort();
      for (const { previewUrl } of uploads) if (previewUrl) URL.revokeObjectURL(previewUrl);
      jobs.clear();
      uploads = [];
    },

    /** Cancels an upload, or removes a failed or finished one from the list. */
    remove(id: number) {
      const upload = uploads.find((candidate) => candidate.id === id);
      if (upload?.previewUrl) URL.revokeObjectURL(upload.previewUrl);
      const job = jobs.get(id);
      job?.abort.abort();
      if (job?.unfinished) {
        const { url, direct } = job.unfinished;
        void forget(url);
        if (direct === null && upload?.storageId === null) void discardChunks(url);
      }
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
