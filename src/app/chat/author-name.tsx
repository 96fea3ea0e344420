import { Pencil } from "lucide-react";
import { useRef, useState } from "react";
import { Avatar } from "~/components/avatar";
import { deferred } from "~/kit/client";

const AuthorForm = deferred(() => import("./author-form").then(({ AuthorForm }) => AuthorForm));

/** Shows the name that the visitor writes under, and lets the visitor change it. */
export function AuthorName({ author, onChange }: { author: string; onChange: (author: string) => void }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);

  // The name is not known before the page is hydrated.
  if (author === "") return null;
  return (
    <>
      <button
        ref={button}
        type="button"
        onClick={() => setOpen(!isOpen)}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-label={`Your name: ${author}. Change it`}
        className="flex h-11 min-w-11 items-center justify-center gap-2 rounded-full text-sm hover:bg-sunken sm:pr-3 sm:pl-1.5"
      >
        <Avatar name={author} className="size-8" />
        <span dir="auto" className="max-w-40 truncate font-medium max-sm:hidden">
          {author}
        </span>
        <Pencil aria-hidden="true" className="size-3.5 shrink-0 text-muted max-sm:hidden" />
      </button>
      <AuthorForm button={button} author={author} onChange={onChange} isOpen={isOpen} onOpenChange={setOpen} />
    </>
  );
}
