import { ArrowUp, ImagePlus, LoaderCircle } from "lucide-react";
import type { FormEvent, KeyboardEvent, ReactNode, RefObject } from "react";
import { explainError } from "~/kit/client";

interface ComposerProps {
  field: RefObject<HTMLTextAreaElement | null>;
  onSend: (body: string) => void;
  isSending: boolean;
  /** Why the last message was not sent. */
  error: unknown;
  onAttach: () => void;
  fileInput: ReactNode;
}

/** The field for a new message. */
export function Composer({ field, onSend, isSending, error, onAttach, fileInput }: ComposerProps) {
  function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    take(new FormData(event.currentTarget));
  }

  function take(form: FormData) {
    const body = form.get("body")?.toString() ?? "";
    // Keep what was typed after the message was submitted.
    if (field.current?.value === body) field.current.value = "";
    field.current?.focus();
    if (body.trim()) onSend(body.trim());
  }

  function sendOnEnter(event: KeyboardEvent<HTMLTextAreaElement>) {
    // An input method handles this Enter. Safari marks such a key only by the key code 229.
    const isComposing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  }

  return (
    // The form's action handles a message that was submitted before the page was hydrated, which React replays. It cannot
    // handle the others, because it empties the field late and would delete what was typed by then.
    <form
      onSubmit={send}
      action={take}
      onReset={(event) => event.preventDefault()}
      className="border-line border-t bg-surface px-page pt-3 pb-[max(0.75rem,env(safe-area-inset-bottom))]"
    >
      <div className="column">
        {error !== null && (
          <p role="alert" className="mb-2 text-danger text-sm">
            Your message was not sent. {explainError(error)}
          </p>
        )}
        <div className="flex items-end gap-1 rounded-3xl border border-line-strong bg-canvas p-1 focus-within:border-accent focus-within:outline focus-within:outline-accent">
          <button
            type="button"
            onClick={onAttach}
            aria-label="Send pictures"
            title="Send pictures"
            className="grid size-11 shrink-0 place-items-center rounded-full text-muted hover:bg-sunken hover:text-ink"
          >
            <ImagePlus aria-hidden="true" className="size-5" />
          </button>
          {fileInput}
          <textarea
            ref={field}
            name="body"
            rows={1}
            maxLength={10_000}
            dir="auto"
            aria-label="Message"
            placeholder="Write a message"
            enterKeyHint="send"
            onKeyDown={sendOnEnter}
            className="field-sizing-content max-h-40 min-h-11 flex-1 resize-none px-1 py-2.5 text-base outline-none placeholder:text-muted"
          />
          <button
            type="submit"
            aria-label="Send message"
            title="Send message"
            className="grid size-11 shrink-0 place-items-center rounded-full bg-accent text-on-accent hover:bg-accent-hover"
          >
            {isSending ? (
              <LoaderCircle aria-hidden="true" className="size-5 motion-safe:animate-spin" />
            ) : (
              <ArrowUp aria-hidden="true" className="size-5" />
            )}
          </button>
        </div>
        <p className="mt-2 text-center text-muted text-xs max-sm:hidden">
          Enter sends, Shift + Enter starts a new line. Drop or paste pictures anywhere.
        </p>
      </div>
    </form>
  );
}
