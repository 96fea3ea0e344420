import { Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import { useTRPCClient } from "~/components/api";
import { ConfirmDialog } from "~/kit/client";
import type { Message } from "./message-list-query";

interface DeleteMessageProps {
  message: Message;
  /** Moves the focus, because the message that had it is gone. */
  onClosed: () => void;
}

/** Deletes a message of the viewer. The button appears under the mouse or with the focus, and always on touch screens. */
export function DeleteMessage({ message: { _id, format, body }, onClosed }: DeleteMessageProps) {
  const client = useTRPCClient();
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const isText = format === "text";
  return (
    <>
      <button
        ref={button}
        type="button"
        onClick={() => setOpen(true)}
        aria-label={isText ? `Delete your message “${shortened(body)}”` : "Delete your picture"}
        title="Delete"
        className={`${isText ? "icon-button -my-2.5 size-8 pointer-fine:-my-1" : "dialog-control absolute top-0 right-0 before:absolute before:inset-1.5 before:rounded-full before:bg-black/50"} pointer-coarse:size-11 pointer-fine:opacity-0 focus-visible:opacity-100 group-hover/entry:opacity-100`}
      >
        <Trash2 aria-hidden="true" className="relative size-4" />
      </button>
      <ConfirmDialog
        isOpen={isOpen}
        onOpenChange={setOpen}
        title={isText ? "Delete this message?" : "Delete this picture?"}
        description="It is deleted for everyone. This cannot be undone."
        action="Delete"
        onConfirm={() => client.messages.deleteMessage.mutate({ messageId: _id })}
        onClosed={(isDone) => (isDone ? onClosed() : button.current?.focus())}
      />
    </>
  );
}

const shortened = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
