import { Popover } from "radix-ui";
import { type FormEvent, type RefObject, useId, useRef } from "react";

interface AuthorFormProps {
  /** The form is shown below this button. */
  button: RefObject<HTMLButtonElement | null>;
  author: string;
  onChange: (author: string) => void;
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
}

/** Changes the name that the visitor writes under. */
export function AuthorForm({ button, author, onChange, isOpen, onOpenChange }: AuthorFormProps) {
  const inputId = useId();
  /** Whether the form is closing because something else was pressed, which then has the focus. */
  const hasLeft = useRef(false);

  function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get("name")?.toString().trim();
    if (name) onChange(name);
    onOpenChange(false);
  }

  return (
    <Popover.Root open={isOpen} onOpenChange={onOpenChange}>
      <Popover.Anchor virtualRef={button} />
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={4}
          collisionPadding={12}
          aria-label="Change your name"
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (!hasLeft.current) button.current?.focus();
            hasLeft.current = false;
          }}
          onInteractOutside={(event) => {
            const isButton = event.target instanceof Node && button.current?.contains(event.target);
            // A click on the button closes the form.
            if (isButton) event.preventDefault();
            hasLeft.current = !isButton;
          }}
          className="z-20 w-72 rounded-2xl border border-line bg-surface p-4 shadow-raised"
        >
          <form onSubmit={save} className="grid gap-2">
            <label htmlFor={inputId} className="font-medium text-sm">
              Your name
            </label>
            <input
              id={inputId}
              name="name"
              defaultValue={author}
              maxLength={40}
              required
              autoComplete="nickname"
              className="h-11 rounded-xl border border-line-strong bg-canvas px-3 text-base"
            />
            <p className="text-muted text-xs">Shown beside what you send from now on.</p>
            <button
              type="submit"
              className="mt-1 h-11 rounded-xl bg-accent font-medium text-on-accent text-sm hover:bg-accent-hover"
            >
              Save
            </button>
          </form>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
