import type { Metadata } from "next";
import { Prefetched, queryClient } from "~/kit/pages";
import { api } from "../prefetch";
import { Gallery } from "./gallery";
import { imageList } from "./image-list-query";

export const metadata: Metadata = { title: "Gallery" };

export default async function GalleryPage() {
  // Refused for someone without a session: the page is empty then.
  await queryClient().prefetchInfiniteQuery(api.images.list.infiniteQueryOptions(imageList.input, imageList.options));
  return (
    <Prefetched>
      <Gallery />
    </Prefetched>
  );
}
