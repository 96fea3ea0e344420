import { useMutation } from "@tanstack/react-query";
import { LoaderCircle } from "lucide-react";
import { AlertDialog } from "radix-ui";
import { useRef } from "react";
import { ErrorText } from "./lists";

interface ConfirmDialogProps {
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
  title: string;
  description: string;
  /** The label of the button. */
  action: string;
  onConfirm: () => Promise<void>;
  /** Moves the focus, where the element that had it may be gone. Default: the focus returns to it. */
  onClosed?: (isDone: boolean) => void;
}

/** Asks for confirmation before something that cannot be undone. Stays open when it fails. */
export function ConfirmDialog({
  isOpen,
  onOpenChange,
  title,
  description,
  action,
  onConfirm,
  onClosed,
}: ConfirmDialogProps) {
  const isDone = useRef(false);
  const opener = useRef<Element | null>(null);
  const confirmation = useMutation({
    mutationFn: onConfirm,
    onSuccess: () => {
      isDone.current = true;
      onOpenChange(false);
    },
  });

  return (
    <AlertDialog.Root
      open={isOpen}
      onOpenChange={(next) => {
        if (confirmation.isPending) return;
        confirmation.reset();
        onOpenChange(next);
      }}
    >
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="dialog-overlay" />
        <AlertDialog.Content
          className="dialog"
          onOpenAutoFocus={() => {
            isDone.current = false;
            opener.current = document.activeElement;
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (onClosed) onClosed(isDone.current);
            else if (opener.current instanceof HTMLElement) opener.current.focus();
          }}
        >
          <AlertDialog.Title className="wrap-anywhere text-balance font-semibold text-lg tracking-tight">
            {title}
          </AlertDialog.Title>
          <AlertDialog.Description className="mt-2 text-pretty text-muted text-sm">
            {description}
          </AlertDialog.Description>
          <ErrorText error={confirmation.error} className="mt-3" />
          <div className="mt-6 flex justify-end gap-2">
            <AlertDialog.Cancel className="button button-quiet" disabled={confirmation.isPending}>
              Cancel
            </AlertDialog.Cancel>
            <button
              type="button"
              className="button button-danger"
              disabled={confirmation.isPending}
              onClick={() => confirmation.mutate()}
            >
              {confirmation.isPending && (
                <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
              )}
              {action}
            </button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
