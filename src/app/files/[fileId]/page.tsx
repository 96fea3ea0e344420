import type { Metadata } from "next";
import { api, prefetch } from "~/app/prefetch";
import { Prefetched } from "~/kit/pages";
import { FileDetails } from "./file-details";

export const metadata: Metadata = { title: "File" };

/** An example of a page with an id in its address. */
export default async function FilePage({ params }: { params: Promise<{ fileId: string }> }) {
  const { fileId } = await params;
  await prefetch(api.files.get.queryOptions({ fileId }), `/files/${fileId}`);
  return (
    <Prefetched>
      <FileDetails fileId={fileId} />
    </Prefetched>
  );
}
