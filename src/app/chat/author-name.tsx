import { Pencil } from "lucide-react";
import { Popover } from "radix-ui";
import { type FormEvent, useId, useState } from "react";
import { Avatar } from "~/components/avatar";

/** Shows the name that the visitor writes under, and lets the visitor change it. */
export function AuthorName({ author, onChange }: { author: string; onChange: (author: string) => void }) {
  const [isOpen, setOpen] = useState(false);
  const inputId = useId();

  function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get("name")?.toString().trim();
    if (name) onChange(name);
    setOpen(false);
  }

  // The name is not known before the page is hydrated.
  if (author === "") return null;
  return (
    <Popover.Root open={isOpen} onOpenChange={setOpen}>
      <Popover.Trigger
        aria-label={`Your name: ${author}. Change it`}
        className="flex h-11 min-w-11 items-center justify-center gap-2 rounded-full text-sm hover:bg-sunken sm:pr-3 sm:pl-1.5"
      >
        <Avatar name={author} className="size-8" />
        <span dir="auto" className="max-w-40 truncate font-medium max-sm:hidden">
          {author}
        </span>
        <Pencil aria-hidden="true" className="size-3.5 shrink-0 text-muted max-sm:hidden" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={4}
          collisionPadding={12}
          aria-label="Change your name"
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
