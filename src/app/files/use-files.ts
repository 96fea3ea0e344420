import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTRPC } from "~/components/api";
import { useViewer } from "~/kit/client";
import { fileList, type View } from "./file-list-query";

/** Loads the viewer's files page by page. */
export function useFiles(view: View) {
  const trpc = useTRPC();
  const viewer = useViewer();
  const query = useInfiniteQuery({
    ...trpc.files.list.infiniteQueryOptions({ ...fileList.input, ...view }, fileList.options),
    // A viewer without a session has no files.
    enabled: viewer !== null,
    // Keep showing the last result until the new one has arrived.
    placeholderData: keepPreviousData,
  });
  const count = useQuery({
    ...trpc.files.count.queryOptions({ search: view.search }),
    enabled: viewer !== null,
    placeholderData: keepPreviousData,
  });
  const files = useMemo(
    () => (viewer ? (query.data?.pages.flatMap(({ page }) => page) ?? []) : []),
    [viewer, query.data],
  );
  return { viewer, files, total: count.data ?? files.length, query };
}
