import { useMutation } from "@tanstack/react-query";
import { Check } from "lucide-react";
import type { FormEvent } from "react";
import { ErrorText, ShortName } from "~/kit/client";

interface FileNameProps {
  name: string;
  url: string | null;
  isEditing: boolean;
  onRename: (name: string) => Promise<void>;
  onDone: () => void;
}

/** A file's name as a link to the file, or the field that renames the file. */
export function FileName({ name, url, isEditing, onRename, onDone }: FileNameProps) {
  const renaming = useMutation({ mutationFn: onRename, onSuccess: onDone });
  // Shows the new name as soon as the server has saved it, a moment before the refetched list has it.
  const shown = renaming.isSuccess ? renaming.variables : name;

  function leave() {
    renaming.reset();
    onDone();
  }

  function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const next = new FormData(event.currentTarget).get("name")?.toString().trim();
    if (next && next !== name) renaming.mutate(next);
    else leave();
  }

  if (!isEditing) {
    return (
      <p className="flex font-medium text-sm">
        {url ? (
          <a
            href={url}
            target="_blank"
            rel="noreferrer"
            title={shown}
            aria-label={shown}
            className="min-w-0 hover:underline"
          >
            <ShortName name={shown} />
          </a>
        ) : (
          <ShortName name={shown} />
        )}
      </p>
    );
  }
  return (
    <form onSubmit={save} className="my-0.5 grid gap-1">
      <div className="flex gap-2">
        <input
          ref={selectStem}
          name="name"
          aria-label={`New name of ${name}`}
          defaultValue={name}
          maxLength={255}
          required
          disabled={renaming.isPending}
          onKeyDown={(event) => event.key === "Escape" && leave()}
          className="field min-w-0 flex-1"
        />
        <button type="submit" disabled={renaming.isPending} className="button button-primary px-3.5 sm:px-4">
          <Check aria-hidden="true" className="size-4 sm:hidden" />
          <span className="max-sm:sr-only">Save</span>
        </button>
        <button type="button" onClick={leave} className="button button-quiet px-4 max-sm:hidden">
          Cancel
        </button>
      </div>
      <ErrorText error={renaming.error} />
    </form>
  );
}

/** Selects the name without its extension, like file managers do. */
function selectStem(input: HTMLInputElement | null) {
  if (!input) return;
  input.focus();
  const dot = input.value.lastIndexOf(".");
  input.setSelectionRange(0, dot > 0 ? dot : input.value.length);
}
