import { CircleAlert, Pause, Play, RotateCw, X } from "lucide-react";
import { memo, useRef, useState } from "react";
import type { Unfinished } from "../unfinished";
import { smallFileBytes } from "../upload";
import type { Upload } from "../upload-queue";
import { FileIcon, formatBytes, ShortName } from "./values";

interface UploadListProps {
  uploads: readonly Upload[];
  /** Retries one upload. Without an id it retries all that failed. */
  onRetry: (id?: number) => void;
  onRemove: (id: number) => void;
  /** Pauses an upload. Without it there are no buttons to pause. */
  onPause?: (id: number) => void;
}

/** A page with thousands of rows is slow. */
const maxRows = 100;

/** Lists uploads with their progress, or with the reason why they failed and what to do. Of many it lists the first hundred. */
export function UploadList({ uploads, onRetry, onRemove, onPause }: UploadListProps) {
  if (uploads.length === 0) return null;
  const reason = sharedReason(uploads);
  const shown = uploads.length > maxRows ? firstOf(uploads) : uploads;
  return (
    <div className="mb-4 w-full overflow-hidden rounded-2xl border border-line bg-surface">
      <FailedUploads uploads={uploads} onRetry={onRetry} onRemove={onRemove} />
      <ul aria-label="Uploads" className="max-h-[60vh] overflow-y-auto border-line [div+&]:border-t">
        {shown.map((upload) => (
          <UploadRow
            key={upload.id}
            upload={upload}
            isExplained={reason !== null}
            onRetry={onRetry}
            onRemove={onRemove}
            onPause={onPause}
          />
        ))}
      </ul>
      {shown.length < uploads.length && (
        <div className="flex items-center border-line border-t pr-1 pl-4">
          <p className="flex-1 text-muted text-xs tabular-nums">
            and {uploads.length - shown.length} more, {formatBytes(bytesOf(uploads))} in all
          </p>
          <button
            type="button"
            onClick={() => uploads.forEach(({ id, state }) => void (state !== "saving" && onRemove(id)))}
            className="button px-3 text-muted hover:bg-sunken"
          >
            Cancel all
          </button>
        </div>
      )}
    </div>
  );
}

/** Returns the uploads to list: first those that are being sent, then those that were added first. */
function firstOf(uploads: readonly Upload[]): Upload[] {
  const isSent = ({ state }: Upload) => state === "uploading" || state === "saving";
  const first = [...uploads.filter(isSent), ...uploads.filter((upload) => !isSent(upload))].slice(0, maxRows);
  return first.sort((a, b) => a.id - b.id);
}

const bytesOf = (uploads: readonly Upload[]) => uploads.reduce((sum, { file }) => sum + file.size, 0);

interface UploadRowProps extends Omit<UploadListProps, "uploads"> {
  upload: Upload;
  /** Whether the reason of its failure stands above the list. */
  isExplained: boolean;
}

const UploadRow = memo(function UploadRow({ upload, isExplained, onRetry, onRemove, onPause }: UploadRowProps) {
  const { id, file, path, error, notice, state, previewUrl } = upload;
  return (
    <li className="flex items-center gap-3 border-line py-2 pr-2 pl-4 not-first:border-t">
      <FileIcon type={file.type} imageUrl={previewUrl} />
      <div className="min-w-0 flex-1">
        <p className="font-medium text-sm">
          <ShortName name={path} />
        </p>
        {error ? (
          <p role="alert" className="flex items-start gap-1.5 text-muted text-xs">
            <CircleAlert aria-hidden="true" className="size-4 flex-none text-danger" />
            {isExplained ? "Not uploaded" : error.message}
          </p>
        ) : (
          <>
            <p className="text-muted text-xs tabular-nums">{status(upload)}</p>
            {notice && <p className="text-danger text-xs">{notice}</p>}
            <UploadProgress
              upload={upload}
              label={`Uploading ${path}`}
              className="mt-1.5 bg-sunken"
              barClassName="bg-accent"
            />
          </>
        )}
      </div>
      {error?.retryable && (
        <button
          type="button"
          onClick={() => onRetry(id)}
          aria-label={`Try again to upload ${path}`}
          title="Try again"
          className="icon-button"
        >
          <RotateCw aria-hidden="true" className="size-4.5" />
        </button>
      )}
      {onPause && (state === "uploading" || state === "queued") && file.size > smallFileBytes && (
        <button
          type="button"
          onClick={() => onPause(id)}
          aria-label={`Pause ${path}`}
          title="Pause"
          className="icon-button"
        >
          <Pause aria-hidden="true" className="size-4.5" />
        </button>
      )}
      {state === "paused" && (
        <button
          type="button"
          onClick={() => onRetry(id)}
          aria-label={`Continue ${path}`}
          title="Continue"
          className="icon-button"
        >
          <Play aria-hidden="true" className="size-4.5" />
        </button>
      )}
      {state !== "saving" && (
        <button
          type="button"
          onClick={() => onRemove(id)}
          aria-label={`${error ? "Remove" : "Cancel"} ${path}`}
          title={error ? "Remove" : "Cancel"}
          className="icon-button"
        >
          <X aria-hidden="true" className="size-4.5" />
        </button>
      )}
    </li>
  );
});

/** The reason why uploads failed, when several failed for the same one. */
function sharedReason(uploads: readonly Upload[]): string | null {
  const [first, ...others] = uploads.flatMap(({ error }) => error?.message ?? []);
  return first && others.length > 0 && others.every((other) => other === first) ? first : null;
}

/** Says how many uploads failed, with buttons that retry or dismiss all of them. Renders nothing when fewer than two failed. */
export function FailedUploads({ uploads, onRetry, onRemove }: UploadListProps) {
  const failed = uploads.filter(({ error }) => error);
  if (failed.length < 2) return null;
  return (
    <div className="flex flex-wrap items-center gap-x-2 px-4 pt-2 pb-1 text-sm sm:pt-1">
      <div className="flex-1 max-sm:basis-full">
        <p className="font-medium">{failed.length} files were not uploaded</p>
        <p className="text-muted text-xs">{sharedReason(uploads)}</p>
      </div>
      <div className="-mx-3 flex">
        {failed.some(({ error }) => error?.retryable) && (
          <button type="button" onClick={() => onRetry()} className="button px-3 text-accent hover:bg-sunken">
            Retry all
          </button>
        )}
        <button
          type="button"
          onClick={() => failed.forEach(({ id }) => void onRemove(id))}
          className="button px-3 text-muted hover:bg-sunken"
        >
          Dismiss all
        </button>
      </div>
    </div>
  );
}

function status({ state, sent, file, speed }: Upload): string {
  const size = `${formatBytes(sent)} of ${formatBytes(file.size)}`;
  if (state === "queued") return "Waiting";
  if (state === "paused") return `Paused, ${size}`;
  if (state === "uploading" && sent < file.size) {
    return speed ? `${size}, ${formatBytes(speed)}/s, ${formatLeft((file.size - sent) / speed)}` : size;
  }
  return file.size > smallFileBytes ? "Checking…" : "Finishing…";
}

function formatLeft(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s left`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min left` : `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

interface UnfinishedUploadsProps {
  unfinished: readonly Unfinished[];
  /** Receives the same file again. */
  onAdd: (files: File[]) => void;
  onForget: (upload: Unfinished) => void;
}

/** Lists uploads that an earlier page left, and asks for their files again. Renders nothing when there are none. */
export function UnfinishedUploads({ unfinished, onAdd, onForget }: UnfinishedUploadsProps) {
  const input = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<Unfinished | null>(null);
  const [mistaken, setMistaken] = useState<string | null>(null);
  if (unfinished.length === 0) return null;

  function take(upload: Unfinished, file: File | undefined): void {
    if (!file) return;
    const isSame = file.name === upload.name && file.size === upload.size && file.lastModified === upload.lastModified;
    setMistaken(isSame ? null : upload.url);
    if (isSame) onAdd([file]);
  }

  async function choose(upload: Unfinished): Promise<void> {
    const { handle } = upload;
    if (handle && (await handle.requestPermission?.()) === "granted") {
      return take(upload, await handle.getFile().catch(() => undefined));
    }
    setChosen(upload);
    input.current?.click();
  }

  return (
    <ul aria-label="Unfinished uploads" className="mb-4 w-full rounded-2xl border border-line bg-surface">
      {unfinished.map((upload) => (
        <li key={upload.url} className="flex items-center gap-3 border-line py-2 pr-2 pl-4 not-first:border-t">
          <FileIcon type="" imageUrl={null} />
          <div className="min-w-0 flex-1">
            <p className="font-medium text-sm">
              <ShortName name={upload.name} />
            </p>
            <p className="text-muted text-xs" role={mistaken === upload.url ? "alert" : undefined}>
              {mistaken === upload.url
                ? "This is another file, or it has changed. Choose the one that was being uploaded."
                : `Not finished, ${formatBytes(upload.sent)} of ${formatBytes(upload.size)}. Choose the same file again to continue.`}
            </p>
          </div>
          <button type="button" onClick={() => void choose(upload)} className="button px-3 text-accent hover:bg-sunken">
            Choose
          </button>
          <button
            type="button"
            onClick={() => onForget(upload)}
            aria-label={`Give up ${upload.name}`}
            title="Give up"
            className="icon-button"
          >
            <X aria-hidden="true" className="size-4.5" />
          </button>
        </li>
      ))}
      <input
        ref={input}
        type="file"
        hidden
        aria-label="The same file"
        onChange={({ currentTarget }) => {
          if (chosen) take(chosen, currentTarget.files?.[0]);
          currentTarget.value = "";
        }}
      />
    </ul>
  );
}

interface UploadProgressProps {
  upload: Upload;
  /** The name for screen readers. */
  label: string;
  /** The classes of the track, and of the bar within it. */
  className: string;
  barClassName: string;
}

export const percent = new Intl.NumberFormat("en", { style: "percent" });

/** A progress bar of an upload. */
export function UploadProgress({ upload: { sent, file }, label, className, barClassName }: UploadProgressProps) {
  const max = Math.max(file.size, 1);
  return (
    <div
      role="progressbar"
      aria-valuemin={0}
      aria-valuemax={max}
      aria-valuenow={sent}
      aria-valuetext={percent.format(sent / max)}
      aria-label={label}
      className={`h-1 overflow-hidden rounded-full ${className}`}
    >
      <div
        className={`h-full origin-left motion-safe:transition-transform ${barClassName}`}
        style={{ transform: `scaleX(${sent / max})` }}
      />
    </div>
  );
}
