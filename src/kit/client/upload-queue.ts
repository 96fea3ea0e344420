import type { Id } from "../database/ids";
import { type Begun, keepsParts } from "./direct";
import { discardChunks } from "./resumable";
import { inOneTab } from "./tab-locks";
import { describeFile, forget, isSameFile, listUnfinished, remember, type Unfinished } from "./unfinished";
import { smallFileBytes, uploadFile } from "./upload";
import { createSpeedometer, deadUrlCodes, explainAnswer, longestWaitMs, pause, UploadError } from "./upload-request";
import { explainError, retryAfterOf } from "./viewer";

// The queue of uploads, without React. It takes any number of files: a change costs the same however many there are.

export interface Upload {
  id: number;
  file: File;
  /** The path of the file in a folder that was dropped or chosen, for example `rome/1.jpg`. Otherwise its name. */
  path: string;
  /** A `blob:` URL that shows an image before it is uploaded. `null` for other files, and in a long queue until it is sent. */
  previewUrl: string | null;
  /** Milliseconds since the epoch. */
  addedAt: number;
  /** When it was saved, in milliseconds since the epoch. */
  doneAt: number | null;
  /** `uploaded` waits for the files that were added before it, and `saving` for `onUploaded`. */
  state: "queued" | "uploading" | "paused" | "uploaded" | "saving" | "done" | "failed";
  /** Bytes. */
  sent: number;
  /** Bytes per second, over the last seconds. `null` until it is known. */
  speed: number | null;
  storageId: Id<"_storage"> | null;
  /** Set when `failed`. */
  error: UploadError | null;
  /** What an administrator should know about this upload. */
  notice: string | null;
}

export interface UploadQueueOptions {
  generateUploadUrl: () => Promise<string>;
  /** Saves the storage id. Called in the order in which files were added, and not for files that failed. */
  onUploaded: (upload: Pick<Upload, "file" | "path"> & { storageId: Id<"_storage"> }) => Promise<unknown>;
  /** Returns why a file is refused, for the person who chose it, or `null` to accept it. */
  refuse?: (file: File) => string | null;
  /** How many files are sent at the same time. */
  concurrency?: number;
  /**
   * Removes from JPEGs, before they are sent, the metadata that says where, when and by whom they were taken. The pixels,
   * the orientation and the colour profile stay as they are.
   */
  stripMetadata?: boolean;
}

interface QueueOptions extends UploadQueueOptions {
  /** The page and the viewer for which unfinished uploads are remembered. Without it they are not. */
  owner?: () => Pick<Unfinished, "page" | "viewer">;
}

/** Files that were added together. */
interface Batch {
  ids: number[];
  /** The uploads before this place are done or failed. */
  next: number;
}

/** The private state of an upload. */
interface Job {
  batch: Batch;
  /** The place in the batch. */
  place: number;
  abort: AbortController;
  /** Kept for a retry: if the answer was lost, the server repeats it for the same URL. */
  url?: string;
  /** The remembered state of an upload of a large file. */
  unfinished?: Unfinished;
}

/** How often the progress of an upload is remembered. */
const rememberMs = 2_000;

/** How many images of one choice have a preview before they are sent. Making one for each of thousands stops the page. */
const previews = 100;

/** After this time the queue stops waiting for a saved file to appear in its list: it may be on another page of the list. */
export const arrivesWithinMs = 30_000;

/**
 * Creates a queue of uploads, for `useSyncExternalStore`. The list of uploads is immutable: every change makes a new list and
 * notifies the subscribers.
 */
export function createUploadQueue(options: QueueOptions) {
  const { generateUploadUrl, onUploaded, refuse, concurrency = 3, stripMetadata = false, owner } = options;
  const uploads = new Map<number, Upload>();
  const jobs = new Map<number, Job>();
  /** Ids that wait to be sent. Some of them may not wait any more. */
  const queued: number[] = [];
  let sending = 0;
  let lastId = 0;
  const subscribers = new Set<() => void>();
  let list: readonly Upload[] | null = [];
  let isTelling = false;

  /** Notifies once per frame, because many files make many changes. */
  function publish() {
    list = null;
    if (isTelling) return;
    isTelling = true;
    inNextFrame(() => {
      isTelling = false;
      for (const subscriber of subscribers) subscriber();
    });
  }

  function update(id: number, change: Partial<Upload>) {
    const upload = uploads.get(id);
    // The upload may have been removed.
    if (!upload) return;
    uploads.set(id, { ...upload, ...change });
    publish();
  }

  function sendNext() {
    while (sending < concurrency && queued.length > 0) {
      const id = queued.shift() ?? 0;
      const upload = uploads.get(id);
      const job = jobs.get(id);
      if (!job || upload?.state !== "queued") continue;
      sending += 1;
      void send(upload, job).finally(() => {
        sending -= 1;
        sendNext();
      });
    }
  }

  /** Saves the next file of a batch, when all before it are done or failed. */
  function saveNext(batch: Batch) {
    for (; batch.next < batch.ids.length; batch.next++) {
      const upload = uploads.get(batch.ids[batch.next] ?? 0);
      if (!upload || upload.state === "done" || upload.state === "failed") continue;
      if (upload.state === "uploaded") void save(upload, batch);
      return;
    }
  }

  async function send(upload: Upload, job: Job) {
    const { id, file } = upload;
    job.abort = new AbortController();
    const { signal } = job.abort;
    update(id, { state: "uploading", speed: null, previewUrl: upload.previewUrl ?? previewOf(file) });
    try {
      const { storageId } = await uploadOnce(upload, job, signal);
      if (!signal.aborted) update(id, { state: "uploaded", sent: file.size, storageId });
    } catch (error) {
      if (signal.aborted) return;
      const isDead = error instanceof UploadError && deadUrlCodes.includes(error.code);
      const isUseless = isDead || (job.unfinished?.direct && !keepsParts(error));
      if (job.url && (isUseless || (error instanceof UploadError && !error.retryable))) void forget(job.url);
      if (isUseless) job.unfinished = undefined;
      if (isDead) job.url = undefined;
      fail(id, error);
    }
    saveNext(job.batch);
  }

  /**
   * Repeats the call after the time that the server asked for, or once there is a network again. Meanwhile the file keeps
   * its place among those being sent.
   */
  async function patiently<R>(id: number, signal: AbortSignal, call: () => Promise<R>): Promise<R> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const asked = error instanceof UploadError ? error.retryAfterMs : retryAfterOf(error);
        // Without a network nothing was called. `pause` waits until there is one.
        const isOffline = globalThis.navigator?.onLine === false;
        const waitMs = isOffline && (!(error instanceof UploadError) || error.code === "ConnectionLost") ? 0 : asked;
        if (waitMs === null || waitMs > longestWaitMs) throw error;
        const { state } = uploads.get(id) ?? {};
        update(id, { state: state === "uploading" ? "queued" : state });
        await pause(waitMs, signal);
        update(id, { state });
      }
    }
  }

  /** Sends the file, and continues what an earlier page began. */
  async function uploadOnce({ id, file }: Upload, job: Job, signal: AbortSignal) {
    const isLarge = owner !== undefined && file.size > smallFileBytes;
    const description = isLarge ? await describeFile(file) : null;
    if (description && owner && !job.url) {
      const { page, viewer } = owner();
      job.unfinished = (await listUnfinished(page, viewer)).find((each) => isSameFile(each, description));
      job.url = job.unfinished?.url;
    }
    const url = job.url ?? (await patiently(id, signal, generateUploadUrl));
    signal.throwIfAborted();
    job.url = url;
    let rememberedAt = 0;
    const speedAt = createSpeedometer();
    const onProgress = (sent: number) => {
      const at = performance.now();
      const speed = speedAt(at, sent);
      update(id, { sent, ...(speed !== null && { speed }) });
      if (!job.unfinished || at < rememberedAt + rememberMs) return;
      rememberedAt = at;
      job.unfinished = { ...job.unfinished, sent };
      void remember(job.unfinished);
    };
    const onBegun = (direct: Begun | null) => {
      if (!description || !owner) return;
      job.unfinished = { ...description, ...owner(), url, sent: uploads.get(id)?.sent ?? 0, direct };
      void remember(job.unfinished);
    };
    const onNotice = (notice: string) => update(id, { notice });
    const request = { url, file, stripMetadata, signal, onProgress, onBegun, onNotice, begun: job.unfinished?.direct };
    const sending = () => patiently(id, signal, () => uploadFile(request));
    const uploaded = await (description ? inOneTab(url, sending) : sending());
    if (uploaded) return uploaded;
    job.url = undefined;
    throw explainAnswer(0, "OtherTab");
  }

  async function save({ id, file, path, storageId }: Upload, batch: Batch) {
    const job = jobs.get(id);
    if (storageId === null || !job) return;
    update(id, { state: "saving" });
    try {
      await patiently(id, job.abort.signal, () => onUploaded({ storageId, file, path }));
      if (job.unfinished) void forget(job.unfinished.url);
      update(id, { state: "done", doneAt: Date.now() });
      setTimeout(publish, arrivesWithinMs + 1);
    } catch (error) {
      fail(id, error);
    }
    saveNext(batch);
  }

  function fail(id: number, cause: unknown) {
    const error =
      cause instanceof UploadError
        ? cause
        : new UploadError("NotSaved", explainError(cause), { retryable: true, cause });
    update(id, { state: "failed", error });
  }

  return {
    getSnapshot(): readonly Upload[] {
      list ??= [...uploads.values()];
      return list;
    },

    subscribe(subscriber: () => void) {
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },

    /** Queues files. A refused file is listed as failed. */
    add(files: readonly File[]) {
      const batch: Batch = { ids: [], next: 0 };
      for (const file of files) {
        lastId += 1;
        jobs.set(lastId, { batch, place: batch.ids.length, abort: new AbortController() });
        batch.ids.push(lastId);
        const refusal = refuse?.(file) ?? null;
        uploads.set(lastId, {
          id: lastId,
          file,
          path: pathOf(file),
          previewUrl: batch.ids.length <= previews ? previewOf(file) : null,
          addedAt: Date.now(),
          doneAt: null,
          state: refusal === null ? "queued" : "failed",
          sent: 0,
          speed: null,
          storageId: null,
          error: refusal === null ? null : new UploadError("Refused", refusal, { retryable: false }),
          notice: null,
        });
        if (refusal === null) queued.push(lastId);
      }
      publish();
      sendNext();
    },

    /** Retries a failed upload from the step that failed, or continues a paused one. Without an id, all of them. */
    retry(id?: number) {
      const batches = new Set<Batch>();
      for (const upload of id === undefined ? [...uploads.values()] : [uploads.get(id)]) {
        const job = upload && jobs.get(upload.id);
        if (!job || !(upload.state === "paused" || upload.error?.retryable)) continue;
        update(upload.id, { state: upload.storageId ? "uploaded" : "queued", error: null });
        job.batch.next = Math.min(job.batch.next, job.place);
        if (upload.storageId) batches.add(job.batch);
        else queued.push(upload.id);
      }
      sendNext();
      for (const batch of batches) saveNext(batch);
    },

    /** Pauses an upload that waits or is being sent. What has arrived stays there for a day. */
    pause(id: number) {
      const state = uploads.get(id)?.state;
      if (state !== "queued" && state !== "uploading") return;
      jobs.get(id)?.abort.abort();
      update(id, { state: "paused", speed: null });
    },

    /** Stops all uploads. Those of large files can continue. */
    stop() {
      for (const { abort } of jobs.values()) abort.abort();
      for (const { previewUrl } of uploads.values()) if (previewUrl) URL.revokeObjectURL(previewUrl);
      jobs.clear();
      uploads.clear();
      list = [];
    },

    /** Cancels an upload, or removes a failed or finished one from the list. */
    remove(id: number) {
      const upload = uploads.get(id);
      if (upload?.previewUrl) URL.revokeObjectURL(upload.previewUrl);
      const job = jobs.get(id);
      job?.abort.abort();
      if (job?.unfinished) {
        const { url, direct } = job.unfinished;
        void forget(url);
        if (direct === null && upload?.storageId === null) void discardChunks(url);
      }
      jobs.delete(id);
      uploads.delete(id);
      publish();
      if (job) saveNext(job.batch);
    },
  };
}

const previewOf = (file: File) => (file.type.startsWith("image/") ? URL.createObjectURL(file) : null);

/** Browsers name the path of a file in a chosen folder, and `useFileInput` that of a file in a dropped one. */
function pathOf(file: File): string {
  const dropped = "droppedPath" in file && typeof file.droppedPath === "string" ? file.droppedPath : "";
  return (file.webkitRelativePath || dropped).replace(/^(\.?\/)+/, "") || file.name;
}

/** Hidden pages have no frames, and neither has the server. */
function inNextFrame(run: () => void): void {
  if (typeof requestAnimationFrame === "undefined") run();
  else if (document.hidden) setTimeout(run, 100);
  else requestAnimationFrame(run);
}
