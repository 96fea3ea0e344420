import { useQuery } from "@tanstack/react-query";
import { Check, Copy } from "lucide-react";
import { RadioGroup } from "radix-ui";
import { useRef, useState } from "react";
import { useTRPC } from "~/components/api";
import { explainError } from "~/kit/client";
import { FileDialog, type FileDialogProps } from "./file-dialog";

const hour = 60 * 60 * 1000;

/** How long a link works, in milliseconds. */
const lifetimes = [
  { label: "As long as the file exists", expiresIn: undefined },
  { label: "For an hour", expiresIn: hour },
  { label: "For a day", expiresIn: 24 * hour },
  { label: "For a week", expiresIn: 7 * 24 * hour },
];

/** Makes a link to a file, and copies it. */
export function LinkDialog(props: FileDialogProps) {
  return (
    <FileDialog
      {...props}
      title={`Link to “${props.file.name}”`}
      description="Everyone who has it can open the file, without signing in."
    >
      <Link storageId={props.file.storageId} />
    </FileDialog>
  );
}

function Link({ storageId }: { storageId: string }) {
  const trpc = useTRPC();
  const [lifetime, setLifetime] = useState(0);
  const [copied, setCopied] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const expiresIn = lifetimes[lifetime]?.expiresIn;
  const link = useQuery(trpc.files.getUrl.queryOptions({ storageId, expiresIn }));
  const url = link.data ?? "";

  async function copy() {
    field.current?.select();
    // Without HTTPS, pages cannot use the clipboard. Select the link, so that the user can copy it by hand.
    await navigator.clipboard?.writeText(url);
    if (navigator.clipboard) setCopied(url);
  }

  return (
    <>
      <RadioGroup.Root
        aria-label="How long the link works"
        value={String(lifetime)}
        onValueChange={(value) => setLifetime(Number(value))}
        className="my-4 grid"
      >
        {lifetimes.map(({ label }, index) => (
          <RadioGroup.Item
            key={label}
            value={String(index)}
            className="group -mx-2 flex h-11 items-center gap-3 rounded-lg px-2 text-left text-sm hover:bg-sunken"
          >
            <span className="grid size-5 flex-none place-items-center rounded-full border border-line-strong bg-canvas group-data-[state=checked]:border-accent">
              <RadioGroup.Indicator className="size-2.5 rounded-full bg-accent" />
            </span>
            {label}
          </RadioGroup.Item>
        ))}
      </RadioGroup.Root>
      <div className="flex gap-2">
        <input ref={field} readOnly aria-label="Link" value={url} className="field min-w-0 flex-1 text-muted" />
        <button type="button" disabled={!url} onClick={() => void copy()} className="button button-primary w-28 px-0">
          {copied && copied === url ? (
            <Check aria-hidden="true" className="size-4" />
          ) : (
            <Copy aria-hidden="true" className="size-4" />
          )}
          {copied && copied === url ? "Copied" : "Copy"}
        </button>
      </div>
      <p role="status" className="sr-only">
        {copied && copied === url ? "The link is copied." : ""}
      </p>
      {(link.isError || link.data === null) && (
        <p role="alert" className="mt-2 text-danger text-sm">
          {link.isError ? explainError(link.error) : "This file has been deleted."}
        </p>
      )}
    </>
  );
}
