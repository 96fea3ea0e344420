import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import type { ReactNode } from "react";
import type { SavedFile } from "./file-list-query";

export interface FileDialogProps {
  file: SavedFile;
  isOpen: boolean;
  onClose: () => void;
  /** Moves the focus back to where it was. */
  onClosed: () => void;
}

interface Content {
  title: string;
  description: string;
  children: ReactNode;
}

/** A dialog about one file, which its menu opens. */
export function FileDialog({ isOpen, onClose, onClosed, title, description, children }: FileDialogProps & Content) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content
          className="dialog"
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            onClosed();
          }}
        >
          <div className="-mt-2 -mr-3 flex items-start justify-between gap-2">
            <Dialog.Title className="wrap-anywhere pt-2 font-semibold text-lg tracking-tight">{title}</Dialog.Title>
            <Dialog.Close aria-label="Close" title="Close" className="icon-button">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          <Dialog.Description className="mt-1 text-muted text-sm">{description}</Dialog.Description>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
