import type { Metadata } from "next";
import { Prefetched, queryClient, viewer } from "~/kit/pages";
import { api } from "../prefetch";
import { fileList } from "./file-list-query";
import { Files } from "./files";

export const metadata: Metadata = { title: "Files" };

export default async function FilesPage() {
  // A viewer without a session has no files, and the queries would be refused.
  if (await viewer()) {
    await Promise.all([
      queryClient().prefetchInfiniteQuery(api.files.list.infiniteQueryOptions(fileList.input, fileList.options)),
      queryClient().prefetchQuery(api.files.count.queryOptions({ search: fileList.input.search })),
    ]);
  }
  return (
    <Prefetched>
      <Files />
    </Prefetched>
  );
}
