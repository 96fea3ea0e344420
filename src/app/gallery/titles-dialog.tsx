import { Dialog } from "radix-ui";
import type { FormEvent } from "react";

interface TitlesDialogProps {
  /** The chosen images. */
  files: readonly File[];
  isOpen: boolean;
  onAdd: (named: { file: File; title: string }[]) => void;
  onCancel: () => void;
}

/** Asks for the titles of the chosen images, and suggests the names of their files. */
export function TitlesDialog({ files, isOpen, onAdd, onCancel }: TitlesDialogProps) {
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const titles = new FormData(event.currentTarget).getAll("title");
    onAdd(files.map((file, index) => ({ file, title: titles[index]?.toString().trim() || titleOf(file) })));
  }
  return (
    <Dialog.Root open={isOpen} onOpenChange={onCancel}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content className="dialog" aria-describedby={undefined}>
          <Dialog.Title className="font-semibold text-lg tracking-tight">
            {files.length === 1 ? "What does this image show?" : "What do these images show?"}
          </Dialog.Title>
          <form onSubmit={submit} className="mt-4 grid gap-4">
            {files.map((file) => (
              <label key={`${file.name} ${file.lastModified} ${file.size}`} className="grid min-w-0 gap-1.5">
                <span dir="auto" className="truncate text-muted text-sm">
                  {file.name}
                </span>
                <input
                  name="title"
                  aria-label={`Title of ${file.name}`}
                  defaultValue={titleOf(file)}
                  maxLength={200}
                  className="field"
                />
              </label>
            ))}
            <div className="mt-2 flex justify-end gap-2">
              <Dialog.Close className="button button-quiet">Cancel</Dialog.Close>
              <button type="submit" className="button button-primary">
                {files.length === 1 ? "Add image" : `Add ${files.length} images`}
              </button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

const titleOf = ({ name }: File) => name.replace(/\.\w+$/, "").slice(0, 200) || "Image";
