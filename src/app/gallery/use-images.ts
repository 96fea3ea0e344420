import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTRPC } from "~/components/api";
import { useViewer } from "~/kit/client";
import { imageList } from "./image-list-query";

/** Loads the viewer's images page by page, newest first. */
export function useImages() {
  const trpc = useTRPC();
  const viewer = useViewer();
  const query = useInfiniteQuery({
    ...trpc.images.list.infiniteQueryOptions(imageList.input, imageList.options),
    // A viewer without a session has no images.
    enabled: viewer !== null,
  });
  const images = useMemo(
    () => (viewer ? (query.data?.pages.flatMap(({ page }) => page) ?? []) : []),
    [viewer, query.data],
  );
  return { viewer, images, query };
}
