import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTRPC } from "~/client/trpc";
import { useViewer } from "~/client/viewer";
import { type GalleryImage, imageList } from "./image-list-query";

/** The viewer's images loaded so far, newest first. */
export function useImages() {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const viewer = useViewer();
  const query = useInfiniteQuery({
    ...trpc.images.list.infiniteQueryOptions(imageList.input, imageList.options),
    // Whoever has no session has no images.
    enabled: viewer !== null,
    refetchInterval: ({ state }) => (state.data?.pages.some(({ page }) => page.some(awaitsThumbnail)) ? 1_000 : false),
  });
  const images = useMemo(
    () => (viewer ? (query.data?.pages.flatMap(({ page }) => page) ?? []) : []),
    [viewer, query.data],
  );
  return {
    viewer,
    images,
    query,
    /** Resolves when what has changed is on screen. */
    refresh: () => queryClient.invalidateQueries(trpc.images.list.infiniteQueryFilter()),
  };
}

/** A job makes it a moment after the image was saved. If it takes a minute, it has failed. */
function awaitsThumbnail({ thumbnailUrl, _creationTime }: GalleryImage): boolean {
  return thumbnailUrl === null && Date.now() - _creationTime < 60_000;
}
