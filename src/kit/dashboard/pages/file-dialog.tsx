import { useMutation, useQuery } from "@tanstack/react-query";
import { Download, ExternalLink, Trash2, X } from "lucide-react";
import Image from "next/image";
import Link from "next/link";
import { Dialog } from "radix-ui";
import { Failed, Loading } from "../../client/components/lists";
import { formatBytes, Timestamp } from "../../client/components/values";
import { hrefOfRows } from "./data-filters";
import { nameOf, type StoredFile } from "./file-list";
import { CopyButton, useDialog, useTRPC } from "./parts";

interface FileDialogProps {
  /** The file to show, or `null` when the dialog is closed. */
  storageId: string | null;
  onClose: () => void;
  /** Absent where files are only looked at. */
  onDelete?: (storageId: string) => void;
}

/** A preview of a file, and everything that is known about it. */
export function FileDialog({ storageId, onClose, onDelete }: FileDialogProps) {
  const trpc = useTRPC();
  const dialog = useDialog(onClose);
  const file = useQuery({
    ...trpc.dashboard.files.get.queryOptions({ storageId: storageId ?? "" }),
    enabled: storageId !== null,
  });
  return (
    <Dialog.Root open={storageId !== null} onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content {...dialog} className="dialog max-w-3xl!" aria-describedby={undefined}>
          <div className="-mt-2 -mr-3 flex items-center justify-between">
            <Dialog.Title className="min-w-0 truncate font-semibold text-sm">
              {file.data && nameOf(file.data) !== null ? (
                nameOf(file.data)
              ) : (
                <span className="font-mono">{storageId}</span>
              )}
            </Dialog.Title>
            <Dialog.Close aria-label="Close" title="Close" className="icon-button">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          {file.isError ? (
            <Failed title="The file could not be loaded" error={file.error} onRetry={() => void file.refetch()} />
          ) : file.data === undefined ? (
            <Loading>Loading…</Loading>
          ) : file.data === null ? (
            <p className="py-6 text-center text-muted text-sm">This file has been deleted.</p>
          ) : (
            <Details file={file.data} onDelete={onDelete} />
          )}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Details({ file, onDelete }: { file: StoredFile; onDelete?: (storageId: string) => void }) {
  const facts = [
    { name: "Storage id", value: <span className="font-mono text-xs">{file._id}</span> },
    {
      name: "Size",
      value: file.size < 1000 ? formatBytes(file.size) : `${formatBytes(file.size)} (${file.size} bytes)`,
    },
    { name: "Type", value: file.contentType ?? "none" },
    { name: "Detected type", value: file.detectedType ?? "none" },
    { name: "Uploaded", value: <Timestamp at={file._creationTime} /> },
    { name: "SHA-256", value: file.sha256 },
    { name: "Owner", value: file.owner ?? "unknown" },
  ];
  return (
    <>
      {file.held ? <Held storageId={file._id} /> : <FilePreview file={file} />}
      <dl className="mt-4 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5 text-sm">
        {facts.map(({ name, value }) => (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd className="wrap-anywhere min-w-0">{value}</dd>
          </div>
        ))}
        <dt className="text-muted">Referenced by</dt>
        <dd className="min-w-0">
          {file.references.length === 0 && "nothing"}
          <ul>
            {file.references.map(({ table, column, row, label }) => (
              <li key={`${table}.${column} ${row}`} className="wrap-anywhere">
                <span className="font-mono text-xs">
                  {table}.{column}
                </span>{" "}
                {label}{" "}
                {row !== null && (
                  <Link
                    prefetch={false}
                    href={hrefOfRows(table, [{ column: "_id", operator: "is", value: row }])}
                    className="font-mono text-accent text-xs underline-offset-2 hover:underline"
                  >
                    {row}
                  </Link>
                )}
              </li>
            ))}
          </ul>
        </dd>
      </dl>
      <div className="mt-5 flex flex-wrap items-center justify-end gap-2">
        <CopyButton text={file._id} label="Copy the storage id" />
        {!file.held && (
          <a
            href={file.url}
            target="_blank"
            rel="noreferrer"
            aria-label="Open in a new tab"
            title="Open in a new tab"
            className="icon-button"
          >
            <ExternalLink aria-hidden="true" className="size-4" />
          </a>
        )}
        {onDelete && (
          <button type="button" onClick={() => onDelete(file._id)} className="button px-4 text-danger hover:bg-sunken">
            <Trash2 aria-hidden="true" className="size-4" />
            Delete
          </button>
        )}
        {!file.held && (
          <a href={file.downloadUrl} download className="button button-primary">
            <Download aria-hidden="true" className="size-4" />
            Download
          </a>
        )}
      </div>
    </>
  );
}

/** Shown instead of a preview for a held file, which is not served to administrators either. */
function Held({ storageId }: { storageId: string }) {
  const trpc = useTRPC();
  const release = useMutation(trpc.dashboard.files.release.mutationOptions());
  return (
    <div className="mt-2 grid justify-items-center gap-3 rounded-xl bg-sunken p-8 text-center text-sm">
      <p>This file is held. It is not served until a function releases it.</p>
      <button
        type="button"
        disabled={release.isPending}
        onClick={() => release.mutate({ storageId })}
        className="button px-4"
      >
        Release it now
      </button>
      {release.error && <p role="alert">{release.error.message}</p>}
    </div>
  );
}

/** A preview of a file by its type. Only known types of images are rendered. Code, such as HTML, is shown as text. */
function FilePreview({ file: { _id, url, imageUrl, size, contentType } }: { file: StoredFile }) {
  const type = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (size === 0) return <Nothing>This file is empty.</Nothing>;
  if (/^image\/(png|jpeg|gif|webp|avif|bmp)$/.test(type)) {
    return (
      <div className="relative mt-2 h-80 rounded-xl bg-sunken">
        <Image fill src={type === "image/bmp" ? url : imageUrl} alt={`Preview of ${_id}`} className="object-contain" />
      </div>
    );
  }
  if (type.startsWith("video/")) {
    return (
      <video src={url} controls aria-label={`Preview of ${_id}`} className="mt-2 max-h-80 w-full rounded-xl bg-black">
        <track kind="captions" />
      </video>
    );
  }
  if (type.startsWith("audio/")) {
    return (
      <audio src={url} controls aria-label={`Preview of ${_id}`} className="mt-3 w-full">
        <track kind="captions" />
      </audio>
    );
  }
  if (type === "application/pdf") {
    return <iframe src={url} title={`Preview of ${_id}`} className="mt-2 h-96 w-full rounded-xl border border-line" />;
  }
  if (/^text\/|[/+](json|xml)$|javascript|x-sh$|yaml|toml/.test(type)) return <TextPreview url={url} size={size} />;
  return <Nothing>There is no preview of this type.</Nothing>;
}

function Nothing({ children }: { children: string }) {
  return <p className="mt-2 rounded-xl bg-sunken p-8 text-center text-muted text-sm">{children}</p>;
}

/** Only this much of a text is shown. */
const limitBytes = 64 * 1024;

/** The beginning of a file as text, whatever its type. */
function TextPreview({ url, size }: { url: string; size: number }) {
  const text = useQuery({
    queryKey: ["file text", url],
    queryFn: async ({ signal }) => {
      const response = await fetch(url, { headers: { Range: `bytes=0-${limitBytes - 1}` }, signal });
      if (!response.ok) throw new Error(`The file answers ${response.status}`);
      return response.text();
    },
  });
  if (text.isError)
    return <Failed title="The text could not be loaded" error={text.error} onRetry={() => void text.refetch()} />;
  if (text.data === undefined) return <Loading>Loading the text…</Loading>;
  return (
    <>
      <pre
        // Keyboard users can focus and scroll it.
        tabIndex={0}
        className="wrap-anywhere mt-2 max-h-80 overflow-auto whitespace-pre-wrap rounded-xl bg-sunken p-4 font-mono text-xs"
      >
        {text.data}
      </pre>
      {size > limitBytes && <p className="mt-1 text-muted text-xs">These are the first {formatBytes(limitBytes)}.</p>}
    </>
  );
}
