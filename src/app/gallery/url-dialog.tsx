import { useMutation } from "@tanstack/react-query";
import { LoaderCircle } from "lucide-react";
import { Dialog } from "radix-ui";
import { type FormEvent, useId } from "react";
import { useTRPC } from "~/components/api";
import { explainError } from "~/kit/client";

interface UrlDialogProps {
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
  /** Moves the focus back to where it was. */
  onClosed: () => void;
}

/** Asks for the URL of an image, which the server fetches. */
export function UrlDialog({ isOpen, onOpenChange, onClosed }: UrlDialogProps) {
  const trpc = useTRPC();
  const id = useId();
  const download = useMutation(trpc.images.downloadAndStore.mutationOptions({ onSuccess: () => onOpenChange(false) }));

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const url = new FormData(event.currentTarget).get("url")?.toString().trim();
    if (url) download.mutate({ url });
  }

  return (
    <Dialog.Root
      open={isOpen}
      onOpenChange={(next) => {
        download.reset();
        onOpenChange(next);
      }}
    >
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content
          className="dialog"
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            onClosed();
          }}
        >
          <Dialog.Title className="font-semibold text-lg tracking-tight">Add an image from the web</Dialog.Title>
          <Dialog.Description className="mt-1 text-pretty text-muted text-sm">
            The server fetches it and keeps a copy, of at most 20 MB.
          </Dialog.Description>
          <form onSubmit={submit} className="mt-4 grid gap-2">
            <label htmlFor={id} className="font-medium text-sm">
              Address of the image
            </label>
            <input
              id={id}
              name="url"
              type="url"
              required
              maxLength={2000}
              placeholder="https://"
              aria-describedby={download.isError ? `${id}-error` : undefined}
              className="field"
            />
            {download.isError && (
              <p id={`${id}-error`} role="alert" className="wrap-anywhere text-danger text-sm">
                {explainError(download.error)}
              </p>
            )}
            <div className="mt-4 flex justify-end gap-2">
              <Dialog.Close className="button button-quiet">Cancel</Dialog.Close>
              <button type="submit" disabled={download.isPending} className="button button-primary">
                {download.isPending && <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />}
                Add image
              </button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
