import { ImageOff } from "lucide-react";
import { useRef, useState } from "react";
import { frameOf } from "~/components/picture-shape";
import { deferred, StorageImage } from "~/kit/client";
import type { Message } from "./message-list-query";

const PictureDialog = deferred(() => import("~/components/picture-dialog").then(({ PictureDialog }) => PictureDialog));

interface ImageMessageProps {
  message: Message;
  /** A `blob:` URL that the sender sees until the picture is loaded. */
  preview: string | null;
  /** Whether the picture is near the end of the list, which is in view first. */
  isRecent: boolean;
}

/** A picture in a frame. A click opens it in full size. */
export function ImageMessage({ message, preview, isRecent }: ImageMessageProps) {
  const { author, storageId, url, image } = message;
  const [isLoaded, setLoaded] = useState(false);
  const [isBroken, setBroken] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  // It keeps the shape that it was shown in first, because a change would move the messages around it.
  const [frame] = useState(() => frameOf(image ?? {}));
  const alt = `Image from ${author}`;

  if (!storageId) return <Unavailable label="This picture was deleted" />;
  if (!url || !image) return <Unavailable label="This picture is being checked" />;
  if (isBroken) return <Unavailable label="This picture cannot be shown" href={url} />;
  return (
    <>
      <button
        ref={button}
        type="button"
        onClick={() => setOpen(true)}
        aria-haspopup="dialog"
        className="picture-frame"
        style={{ ...frame, ...(preview && !isLoaded && { backgroundImage: `url("${preview}")` }) }}
      >
        <StorageImage
          image={image}
          fallbackUrl={url}
          alt={alt}
          sizes="20rem"
          loading={isRecent ? "eager" : "lazy"}
          onLoad={() => setLoaded(true)}
          onBroken={() => setBroken(true)}
          className="absolute inset-0 size-full object-contain motion-safe:transition-opacity hover:opacity-90"
        />
      </button>
      <PictureDialog
        title={alt}
        url={url}
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        onClosed={() => button.current?.focus()}
      />
    </>
  );
}

function Unavailable({ label, href }: { label: string; href?: string }) {
  return (
    <div className="picture-frame grid place-items-center border border-line">
      <p className="flex flex-col items-center gap-2 p-4 text-center text-muted text-sm">
        <ImageOff aria-hidden="true" className="size-6" />
        {label}
        {href && (
          <a href={href} target="_blank" rel="noreferrer" className="text-accent underline">
            Open the file
          </a>
        )}
      </p>
    </div>
  );
}
