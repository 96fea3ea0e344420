import { ExternalLink, X } from "lucide-react";
import Image from "next/image";
import { Dialog } from "radix-ui";

interface PictureDialogProps {
  title: string;
  url: string;
  isOpen: boolean;
  onClose: () => void;
  /** Moves the focus back to where it was. */
  onClosed: () => void;
}

/** Shows a picture as large as the window. */
export function PictureDialog({ title, url, isOpen, onClose, onClosed }: PictureDialogProps) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-30 bg-black/90 backdrop-blur-md" />
        <Dialog.Content
          aria-describedby={undefined}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            onClosed();
          }}
          className="fixed inset-0 z-30 flex flex-col pt-[env(safe-area-inset-top)] pb-[max(1rem,env(safe-area-inset-bottom))] text-white outline-none"
        >
          <div className="flex items-center gap-1 px-page py-2">
            <Dialog.Title dir="auto" className="flex-1 truncate font-medium text-sm">
              {title}
            </Dialog.Title>
            <a
              href={url}
              target="_blank"
              rel="noreferrer"
              aria-label="Open in a new tab"
              title="Open in a new tab"
              className="dialog-control"
            >
              <ExternalLink aria-hidden="true" className="size-5" />
            </a>
            <Dialog.Close aria-label="Close" title="Close" className="dialog-control">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          <Dialog.Close tabIndex={-1} aria-hidden="true" className="relative mx-4 flex-1 cursor-zoom-out">
            <Image fill src={url} alt="" className="object-scale-down" />
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
