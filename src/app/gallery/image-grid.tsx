import type { ReactNode } from "react";
import { MoreRows } from "~/kit/client";
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
      <MoreRows query={query} things="images" />
    </>
  );
}
