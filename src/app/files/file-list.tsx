import { TRPCClientError } from "@trpc/client";
import { Trash2 } from "lucide-react";
import { memo, useState } from "react";
import { useTRPCClient } from "~/components/api";
import { Checkbox, ConfirmDialog } from "~/kit/client";
import type { SavedFile } from "./file-list-query";
import { FileRow } from "./file-row";
import { useSelection } from "./use-selection";

interface FileListProps {
  files: readonly SavedFile[];
  /** How many files the viewer has, including those that are not loaded. */
  total: number;
  focusAbove: () => void;
}

/** The page draws this list only when it has changed, and not for the progress of each upload. */
export const FileList = memo(function FileList({ files, total, focusAbove }: FileListProps) {
  const client = useTRPCClient();
  const selection = useSelection(files.map(({ storageId }) => storageId));
  const [isDeleting, setDeleting] = useState(false);

  const count = selection.selected.length;
  const isAll = count === files.length;
  const these = count === 1 ? "this file" : `these ${count} files`;

  async function deleteSelected() {
    // Deletes one at a time, because parallel deletions would wait for each other in the database.
    for (const storageId of selection.selected) await client.files.delete.mutate({ storageId }).catch(unlessGone);
  }

  return (
    <>
      <section aria-label="Your files" className="rounded-2xl border border-line bg-surface">
        <div className="flex min-h-14 items-center gap-2 border-line border-b px-2">
          <Checkbox
            label="Select all files"
            checked={isAll || (count > 0 && "indeterminate")}
            onChange={selection.setAll}
          />
          <p role="status" className="flex-1 text-muted text-sm">
            {count > 0 ? `${count} selected` : total === 1 ? "1 file" : `${total.toLocaleString("en")} files`}
          </p>
          {count > 0 && (
            <button
              type="button"
              onClick={() => setDeleting(true)}
              className="button h-11 px-4 text-danger hover:bg-sunken"
            >
              <Trash2 aria-hidden="true" className="size-4" />
              Delete
            </button>
          )}
        </div>
        <ul>
          {files.map((file) => (
            <FileRow
              key={file._id}
              file={file}
              isSelected={selection.has(file.storageId)}
              onSelect={(isSelected) => selection.set(file.storageId, isSelected)}
              focusAbove={focusAbove}
            />
          ))}
        </ul>
      </section>
      <ConfirmDialog
        isOpen={isDeleting}
        onOpenChange={setDeleting}
        title={`Delete ${these}?`}
        description={`This cannot be undone. Links to ${count === 1 ? "it" : "them"} stop working at once.`}
        action="Delete"
        onConfirm={deleteSelected}
        onClosed={focusAbove}
      />
    </>
  );
});

/** Ignores that a file does not exist: the list may still show one that was deleted a moment ago. */
function unlessGone(error: unknown): void {
  if (!(error instanceof TRPCClientError && error.data?.code === "NOT_FOUND")) throw error;
}
