import { useMutation, useQuery } from "@tanstack/react-query";
import { formatBytes } from "../../../client/components/format-bytes";
import { Timestamp } from "../../../client/components/timestamp";
import { explainError } from "../../../client/explain-error";
import { useTRPC } from "../parts/api";

/** Deleted files whose bytes are still kept, to restore or to erase. Nothing when there is none. */
export function DeletedFiles() {
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
      {(restore.isError || erase.isError) && (
        <p role="alert" className="mt-2 text-danger text-sm">
          {explainError(restore.error ?? erase.error)}
        </p>
      )}
    </section>
  );
}
