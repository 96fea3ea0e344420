import { ImageOff } from "lucide-react";
import Image from "next/image";
import { Dialog } from "radix-ui";
import { useEffect, useRef, useState } from "react";
import { PictureDialog } from "~/components/picture-dialog";
import type { Message } from "./message-list-query";

interface ImageMessageProps {
  message: Message;
  /** A `blob:` URL that the sender sees until the picture is loaded. */
  preview: string | null;
  /** Whether the picture is near the end of the list, which is in view first. */
  isRecent: boolean;
}

/** A picture in a frame. A click opens it in full size. */
export function ImageMessage({ message: { author, url }, preview, isRecent }: ImageMessageProps) {
  const [isLoaded, setLoaded] = useState(false);
  const [isBroken, setBroken] = useState(false);
  const image = useRef<HTMLImageElement>(null);
  useEffect(() => {
    // Loading may have failed before the page was hydrated.
    if (image.current?.complete) image.current.decode().catch(() => setBroken(true));
  }, []);
  const alt = `Image from ${author}`;

  if (!url) return <Unavailable label="This picture was deleted" />;
  if (isBroken) return <Unavailable label="This picture cannot be shown" href={url} />;
  return (
    <Dialog.Root>
      <Dialog.Trigger
        className="picture-frame"
        style={preview && !isLoaded ? { backgroundImage: `url("${preview}")` } : undefined}
      >
        <Image
          ref={image}
          fill
          src={url}
          alt={alt}
          loading={isRecent ? "eager" : "lazy"}
          onLoad={() => setLoaded(true)}
          // With `onError`, next/image would load the picture again when the page is hydrated.
          onErrorCapture={() => setBroken(true)}
          className="object-contain motion-safe:transition-opacity hover:opacity-90"
        />
      </Dialog.Trigger>
      <PictureDialog title={alt} url={url} />
    </Dialog.Root>
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
