import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTRPC } from "~/components/api";
import { useViewer } from "~/kit/client";
import { fileList } from "./file-list-query";

/** The viewer's files loaded so far, newest first. */
export function useFiles() {
  const trpc = useTRPC();
  const viewer = useViewer();
  const query = useInfiniteQuery({
    ...trpc.files.list.infiniteQueryOptions(fileList.input, fileList.options),
    // Whoever has no session has no files.
    enabled: viewer !== null,
  });
  const files = useMemo(
    () => (viewer ? (query.data?.pages.flatMap(({ page }) => page) ?? []) : []),
    [viewer, query.data],
  );
  return { viewer, files, query };
}
