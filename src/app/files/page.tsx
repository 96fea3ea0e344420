import type { Metadata } from "next";
import { Prefetched, queryClient } from "~/kit/pages";
import { api } from "../prefetch";
import { fileList } from "./file-list-query";
import { Files } from "./files";

export const metadata: Metadata = { title: "Files" };

export default async function FilesPage() {
  // Refused for someone without a session: the page is empty then.
  await queryClient().prefetchInfiniteQuery(api.files.list.infiniteQueryOptions(fileList.input, fileList.options));
  return (
    <Prefetched>
      <Files />
    </Prefetched>
  );
}
