import { Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import { useTRPCClient } from "~/components/api";
import { ConfirmDialog, deferred, StorageImage, Timestamp } from "~/kit/client";
import type { GalleryImage } from "./image-list-query";

const PictureDialog = deferred(() => import("~/components/picture-dialog").then(({ PictureDialog }) => PictureDialog));

interface ImageTileProps {
  image: GalleryImage;
  focusAbove: () => void;
}

/** A square of an image. A click opens the image in full size. */
export function ImageTile({ image, focusAbove }: ImageTileProps) {
  const { _id, title, url, square } = image;
  const client = useTRPCClient();
  const [isDeleting, setDeleting] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const picture = useRef<HTMLButtonElement>(null);
  const deletion = useRef<HTMLButtonElement>(null);
  return (
    <li className="min-w-0">
      <button
        ref={picture}
        type="button"
        onClick={() => setOpen(true)}
        aria-haspopup="dialog"
        aria-label={`Open ${title}`}
        className="picture-frame grid aspect-square place-items-center"
      >
        {url === null && <span className="text-muted text-sm">Being checked</span>}
        {square && (
          <StorageImage
            image={square}
            fallbackUrl={url ?? undefined}
            alt=""
            sizes="(min-width: 640px) 12.5rem, 50vw"
            className="absolute inset-0 size-full object-cover motion-safe:transition-opacity hover:opacity-90"
          />
        )}
      </button>
      {url && (
        <PictureDialog
          title={title}
          url={url}
          isOpen={isOpen}
          onClose={() => setOpen(false)}
          onClosed={() => picture.current?.focus()}
        />
      )}
      <div className="mt-1 flex items-start">
        <div className="min-w-0 flex-1 pt-1">
          <p dir="auto" title={title} className="truncate font-medium text-sm">
            {title}
          </p>
          <p>
            <Timestamp at={image._creationTime} />
          </p>
        </div>
        <button
          ref={deletion}
          type="button"
          onClick={() => setDeleting(true)}
          aria-label={`Delete ${title}`}
          title="Delete"
          className="icon-button -mr-2"
        >
          <Trash2 aria-hidden="true" className="size-4" />
        </button>
      </div>
      <ConfirmDialog
        isOpen={isDeleting}
        onOpenChange={setDeleting}
        title={`Delete “${title}”?`}
        description="This cannot be undone. Links to it stop working at once."
        action="Delete"
        onConfirm={async () => {
          await client.images.deleteImage.mutate({ imageId: _id });
        }}
        onClosed={(isDone) => (isDone ? focusAbove() : deletion.current?.focus())}
      />
    </li>
  );
}
