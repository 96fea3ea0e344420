import { useQuery } from "@tanstack/react-query";
import { Download, ExternalLink, Trash2, X } from "lucide-react";
import { Dialog } from "radix-ui";
import { formatBytes } from "../../../client/components/format-bytes";
import { Failed, Loading } from "../../../client/components/list-state";
import { Timestamp } from "../../../client/components/timestamp";
import { useTRPC } from "../parts/api";
import { CopyButton } from "../parts/copy-button";
import { useReturnFocus } from "../parts/use-return-focus";
import { FilePreview } from "./file-preview";
import type { StoredFile } from "./use-stored-files";

interface FileDialogProps {
  /** Of the file to show; `null` when it is closed. */
  storageId: string | null;
  onClose: () => void;
  onDelete: (storageId: string) => void;
}

/** What a file shows, and all that is known of it. */
export function FileDialog({ storageId, onClose, onDelete }: FileDialogProps) {
  const trpc = useTRPC();
  const returnFocus = useReturnFocus();
  const file = useQuery({
    ...trpc.dashboard.files.get.queryOptions({ storageId: storageId ?? "" }),
    enabled: storageId !== null,
  });
  return (
    <Dialog.Root open={storageId !== null} onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content {...returnFocus} className="dialog max-w-3xl!" aria-describedby={undefined}>
          <div className="-mt-2 -mr-3 flex items-center justify-between">
            <Dialog.Title className="min-w-0 truncate font-mono font-semibold text-sm">{storageId}</Dialog.Title>
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

function Details({ file, onDelete }: { file: StoredFile; onDelete: (storageId: string) => void }) {
  const facts = [
    {
      name: "Size",
      value: file.size < 1000 ? formatBytes(file.size) : `${formatBytes(file.size)} (${file.size} bytes)`,
    },
    { name: "Type", value: file.contentType ?? "none" },
    { name: "Uploaded", value: <Timestamp at={file._creationTime} /> },
    { name: "SHA-256", value: file.sha256 },
    { name: "Owner", value: file.owner ?? "nobody known" },
  ];
  return (
    <>
      <FilePreview file={file} />
      <dl className="mt-4 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5 text-sm">
        {facts.map(({ name, value }) => (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd className="wrap-anywhere min-w-0">{value}</dd>
          </div>
        ))}
        <dt className="text-muted">Referred to by</dt>
        <dd className="min-w-0">
          {file.references.length === 0 && "nothing"}
          <ul>
            {file.references.map(({ table, column, row, label }) => (
              <li key={`${table}.${column} ${row}`} className="wrap-anywhere">
                <span className="font-mono text-xs">
                  {table}.{column}
                </span>{" "}
                {label} <span className="font-mono text-muted text-xs">{row}</span>
              </li>
            ))}
          </ul>
        </dd>
      </dl>
      <div className="mt-5 flex flex-wrap items-center justify-end gap-2">
        <CopyButton text={file._id} label="Copy the storage id" />
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
        <button type="button" onClick={() => onDelete(file._id)} className="button px-4 text-danger hover:bg-sunken">
          <Trash2 aria-hidden="true" className="size-4" />
          Delete
        </button>
        <a href={file.downloadUrl} download className="button button-primary">
          <Download aria-hidden="true" className="size-4" />
          Download
        </a>
      </div>
    </>
  );
}
