import { LoaderCircle } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { useNearView } from "~/kit/client";
import type { GalleryImage } from "./image-list-query";
import { ImageTile } from "./image-tile";
import type { useImages } from "./use-images";

interface ImageGridProps {
  images: readonly GalleryImage[];
  query: ReturnType<typeof useImages>["query"];
  focusAbove: () => void;
  /** Shown before the images. */
  children: ReactNode;
}

export function ImageGrid({ images, query, focusAbove, children }: ImageGridProps) {
  const end = useRef<HTMLDivElement>(null);
  const isReady = query.hasNextPage && !query.isFetching && !query.isFetchNextPageError;
  useNearView(end, { isReady, onNear: () => void query.fetchNextPage() });
  return (
    <>
      <ul
        aria-label="Your images"
        className="grid grid-cols-2 gap-x-3 gap-y-5 sm:grid-cols-[repeat(auto-fill,minmax(12.5rem,1fr))] sm:gap-x-4"
      >
        {children}
        {images.map((image) => (
          <ImageTile key={image._id} image={image} focusAbove={focusAbove} />
        ))}
      </ul>
      <div ref={end} className="flex min-h-14 items-center justify-center gap-2 text-muted text-sm">
        {query.isFetchNextPageError ? (
          <p role="alert">
            More images could not be loaded.{" "}
            <button
              type="button"
              onClick={() => void query.fetchNextPage()}
              className="h-11 px-1 text-accent underline"
            >
              Try again
            </button>
          </p>
        ) : (
          query.hasNextPage && (
            <>
              <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
              Loading more images…
            </>
          )
        )}
      </div>
    </>
  );
}
