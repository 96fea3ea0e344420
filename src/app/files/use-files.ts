import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTRPC } from "~/components/api";
import { useViewer } from "~/kit/client";
import { fileList, type View } from "./file-list-query";

/** The viewer's files loaded so far. */
export function useFiles(view: View) {
  const trpc = useTRPC();
  const viewer = useViewer();
  const query = useInfiniteQuery({
    ...trpc.files.list.infiniteQueryOptions({ ...fileList.input, ...view }, fileList.options),
    // Whoever has no session has no files.
    enabled: viewer !== null,
    // What was found before stays until what is searched for now is.
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
