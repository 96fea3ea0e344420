import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { SortingState } from "@tanstack/react-table";
import type { Answers } from "../parts/api";
import { useTRPC } from "../parts/api";
import { dayAfter, type Filters, startOf } from "./file-filters";

export type StoredFile = Answers["files"]["list"]["page"][number];

interface Wanted {
  filters: Filters;
  sorting: SortingState;
  cursor: string | null;
}

/** A page of the files, or the one of that id. */
export function useStoredFiles({ filters: { storageId, kind, from, to }, sorting: [sorting], cursor }: Wanted) {
  const trpc = useTRPC().dashboard.files;
  const list = useQuery({
    ...trpc.list.queryOptions({
      cursor,
      kind: kind || undefined,
      from: from ? startOf(from) : undefined,
      before: to ? dayAfter(to) : undefined,
      sort: sorting?.id === "size" ? "size" : "uploaded",
      direction: sorting?.desc === false ? "asc" : "desc",
    }),
    placeholderData: keepPreviousData,
    enabled: storageId === "",
  });
  const one = useQuery({ ...trpc.get.queryOptions({ storageId }), enabled: storageId !== "", retry: false });
  if (storageId !== "") return { files: one.data ? [one.data] : none, nextCursor: null, query: one };
  return { files: list.data?.page ?? none, nextCursor: list.data?.nextCursor ?? null, query: list };
}

const none: StoredFile[] = [];
