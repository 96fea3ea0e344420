import type { Metadata } from "next";
import { Prefetched, queryClient, viewer } from "~/kit/pages";
import { api } from "../prefetch";
import { Gallery } from "./gallery";
import { imageList } from "./image-list-query";

export const metadata: Metadata = { title: "Gallery" };

export default async function GalleryPage() {
  // A viewer without a session has no images, and the query would be refused.
  if (await viewer()) {
    await queryClient().prefetchInfiniteQuery(api.images.list.infiniteQueryOptions(imageList.input, imageList.options));
  }
  return (
    <Prefetched>
      <Gallery />
    </Prefetched>
  );
}
