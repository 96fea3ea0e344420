import { useMutation, useQuery } from "@tanstack/react-query";
import { BrushCleaning, LoaderCircle, X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { ErrorText } from "../../client/components/lists";
import { formatBytes, Timestamp } from "../../client/components/values";
import { useTRPC } from "./parts";

/** Shows what the next garbage collection would delete. It is computed when the dialog opens. */
export function SweepDialog({ onOpenFile }: { onOpenFile: (storageId: string) => void }) {
  const trpc = useTRPC().dashboard.files;
  const [isOpen, setOpen] = useState(false);
  const query = useQuery({ ...trpc.sweepPreview.queryOptions(), enabled: isOpen });
  const refresh = useMutation(trpc.refreshSweepPreview.mutationOptions());
  const preview = query.data?.preview ?? null;
  const isLooking = refresh.isPending || (refresh.isSuccess && (preview?.at ?? 0) < refresh.data);

  return (
    <Dialog.Root
      open={isOpen}
      onOpenChange={(next) => {
        setOpen(next);
        if (next && !isLooking) refresh.mutate();
      }}
    >
      <Dialog.Trigger className="button button-quiet max-sm:px-3.5" aria-label="Next garbage collection">
        <BrushCleaning aria-hidden="true" className="size-4" />
        <span className="max-sm:hidden">Next garbage collection</span>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content className="dialog">
          <div className="-mt-2 -mr-3 flex items-center justify-between">
            <Dialog.Title className="font-semibold text-lg tracking-tight">Next garbage collection</Dialog.Title>
            <Dialog.Close aria-label="Close" title="Close" className="icon-button">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          <Dialog.Description className="text-pretty text-muted text-sm">
            Files older than {query.data?.graceHours ?? 24} hours that no row and no pending job references are deleted,
            every hour.
          </Dialog.Description>
          {preview && (
            <div className="mt-4 grid gap-2 text-sm">
              <p>
                <strong>{preview.files === 1 ? "1 file" : `${preview.files} files`}</strong> (
                {formatBytes(preview.bytes)}) would be deleted, and the bytes of {preview.blobs} deleted files and
                failed uploads.
              </p>
              <ul className="max-h-60 overflow-y-auto">
                {preview.ids.map((id) => (
                  <li key={id}>
                    <button
                      type="button"
                      onClick={() => {
                        setOpen(false);
                        onOpenFile(id);
                      }}
                      className="h-11 font-mono text-accent text-xs underline-offset-2 hover:underline"
                    >
                      {id}
                    </button>
                  </li>
                ))}
                {preview.files > preview.ids.length && <li>and {preview.files - preview.ids.length} more</li>}
              </ul>
            </div>
          )}
          <p role="status" className="mt-3 flex items-center gap-2 text-muted text-xs">
            {isLooking ? (
              <>
                <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
                Looking at all files…
              </>
            ) : (
              preview && (
                <>
                  As of <Timestamp at={preview.at} />
                </>
              )
            )}
          </p>
          <UpkeepReport />
          <DeletedFiles />
          <ErrorText error={refresh.error ?? query.error} className="mt-2" />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Reports steps of housekeeping that fail, and columns that reference files without a foreign key. */
function UpkeepReport() {
  const trpc = useTRPC().dashboard.files;
  const { data } = useQuery(trpc.upkeep.queryOptions());
  const failing = Object.entries(data?.steps ?? {}).flatMap(([step, { failedSince, error }]) =>
    failedSince === undefined ? [] : [{ step, failedSince, error }],
  );
  const loose = data?.looseReferences ?? [];
  return (
    <>
      {failing.map(({ step, failedSince, error }) => (
        <p key={step} role="alert" className="wrap-anywhere mt-3 text-danger text-sm">
          The step {step} of housekeeping has been failing since <Timestamp at={failedSince} />: {error}
        </p>
      ))}
      {loose.map(({ column, files }) => (
        <p key={column} className="wrap-anywhere mt-3 text-sm">
          <span className="font-mono text-xs">{column}</span> names {files === 1 ? "a file" : `${files} files`} without
          a foreign key. They are kept. Give the column a foreign key.
        </p>
      ))}
    </>
  );
}

/** Lists deleted files whose bytes are still kept, to restore or to erase. Renders nothing when there are none. */
function DeletedFiles() {
  const trpc = useTRPC().dashboard.files;
  const deleted = useQuery(trpc.deleted.queryOptions());
  const refetch = { onSettled: () => void deleted.refetch() };
  const restore = useMutation(trpc.restore.mutationOptions(refetch));
  const erase = useMutation(trpc.forget.mutationOptions(refetch));
  if (!deleted.data?.length) return null;
  return (
    <section aria-label="Deleted files" className="mt-4 border-line border-t pt-3">
      <h3 className="font-semibold text-sm">Deleted, and still kept</h3>
      <ul className="mt-1 max-h-60 overflow-y-auto text-xs">
        {deleted.data.map(({ storageId, size, goneAt }) => (
          <li key={storageId} className="flex flex-wrap items-center gap-x-2">
            <span className="font-mono">{storageId}</span>
            <span className="text-muted">
              {formatBytes(size)}, until <Timestamp at={goneAt} />
            </span>
            <span className="ml-auto flex">
              <button
                type="button"
                disabled={restore.isPending}
                onClick={() => restore.mutate({ storageId })}
                className="h-11 px-2 text-accent underline-offset-2 hover:underline"
              >
                Restore
              </button>
              <button
                type="button"
                disabled={erase.isPending}
                onClick={() => erase.mutate({ storageId })}
                className="h-11 px-2 text-danger underline-offset-2 hover:underline"
              >
                Erase now
              </button>
            </span>
          </li>
        ))}
      </ul>
      <ErrorText error={restore.error ?? erase.error} className="mt-2" />
    </section>
  );
}
