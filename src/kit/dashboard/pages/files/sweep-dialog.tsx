import { useMutation, useQuery } from "@tanstack/react-query";
import { BrushCleaning, LoaderCircle, X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { formatBytes } from "../../../client/components/format-bytes";
import { Timestamp } from "../../../client/components/timestamp";
import { explainError } from "../../../client/explain-error";
import { useTRPC } from "../parts/api";
import { DeletedFiles } from "./deleted-files";
import { UpkeepReport } from "./upkeep-report";

/** What the next sweep would remove, found out when it is opened. */
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
      <Dialog.Trigger className="button button-quiet max-sm:px-3.5" aria-label="Next sweep">
        <BrushCleaning aria-hidden="true" className="size-4" />
        <span className="max-sm:hidden">Next sweep</span>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content className="dialog">
          <div className="-mt-2 -mr-3 flex items-center justify-between">
            <Dialog.Title className="font-semibold text-lg tracking-tight">Next sweep</Dialog.Title>
            <Dialog.Close aria-label="Close" title="Close" className="icon-button">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          <Dialog.Description className="text-pretty text-muted text-sm">
            Files older than {query.data?.graceHours ?? 24} hours that no row and no pending job refers to are removed,
            every hour.
          </Dialog.Description>
          {preview && (
            <div className="mt-4 grid gap-2 text-sm">
              <p>
                <strong>{preview.files === 1 ? "1 file" : `${preview.files} files`}</strong> (
                {formatBytes(preview.bytes)}) would go, and the bytes of {preview.blobs} deleted files and dead uploads.
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
          {(refresh.isError || query.isError) && (
            <p role="alert" className="mt-2 text-danger text-sm">
              {explainError(refresh.error ?? query.error)}
            </p>
          )}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
