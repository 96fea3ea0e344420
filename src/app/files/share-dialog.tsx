import { useMutation, useQuery } from "@tanstack/react-query";
import { Check, Copy, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTRPC } from "~/components/api";
import { ErrorText, Timestamp } from "~/kit/client";
import { FileDialog, type FileDialogProps } from "./file-dialog";
import type { SavedFile } from "./file-list-query";

/** Lists the links to a file, which can be revoked, and makes new ones. */
export function ShareDialog(props: FileDialogProps) {
  const { file } = props;
  return (
    <FileDialog
      {...props}
      title={`Share “${file.name}”`}
      description="Everyone who has a link can download the file until you remove the link."
    >
      <NewLink fileId={file._id} />
      <Links fileId={file._id} />
    </FileDialog>
  );
}

const lifetimes = [
  { label: "A day", hours: 24 },
  { label: "A week", hours: 7 * 24 },
  { label: "30 days", hours: 30 * 24 },
];

function NewLink({ fileId }: { fileId: SavedFile["_id"] }) {
  const trpc = useTRPC();
  const create = useMutation(trpc.shares.create.mutationOptions());

  function submit(form: FormData) {
    const [password, maxDownloads] = [String(form.get("password")), Number(form.get("maxDownloads"))];
    create.mutate({
      fileId,
      hours: Number(form.get("hours")),
      password: password || undefined,
      maxDownloads: maxDownloads || undefined,
    });
  }

  return (
    <form action={submit} className="mt-4 grid gap-3 text-sm">
      <div className="grid grid-cols-2 gap-3">
        <label className="grid gap-1">
          <span className="font-medium">Works for</span>
          <select name="hours" defaultValue={7 * 24} className="field">
            {lifetimes.map(({ label, hours }) => (
              <option key={hours} value={hours}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label className="grid gap-1">
          <span className="font-medium">Downloads</span>
          <input name="maxDownloads" type="number" min={1} max={1_000_000} placeholder="No limit" className="field" />
        </label>
      </div>
      <label className="grid gap-1">
        <span className="font-medium">Password (optional)</span>
        <input name="password" type="password" maxLength={200} autoComplete="new-password" className="field" />
      </label>
      <ErrorText error={create.error} />
      <button type="submit" disabled={create.isPending} className="button button-primary">
        Make a link
      </button>
    </form>
  );
}

function Links({ fileId }: { fileId: SavedFile["_id"] }) {
  const trpc = useTRPC();
  const links = useQuery(trpc.shares.list.queryOptions({ fileId }));
  const revoke = useMutation(trpc.shares.revoke.mutationOptions());
  const [copied, setCopied] = useState("");
  const error = links.error ?? revoke.error;

  async function copy(token: string) {
    // Without HTTPS, pages cannot use the clipboard. The link can be copied by hand, too.
    await navigator.clipboard?.writeText(urlOf(token));
    if (navigator.clipboard) setCopied(token);
  }

  return (
    <>
      <ErrorText error={error} className="mt-3" />
      {links.data && links.data.length > 0 && (
        <ul aria-label="Links" className="mt-4 border-line border-t text-sm">
          {links.data.map(({ _id, token, hasPassword, downloads, maxDownloads, expiresAt }) => (
            <li key={_id} className="flex items-center border-line not-first:border-t">
              <div className="min-w-0 flex-1 py-2">
                <a
                  href={urlOf(token)}
                  target="_blank"
                  rel="noreferrer"
                  className="block truncate text-accent underline"
                >
                  {urlOf(token)}
                </a>
                <p className="text-muted text-xs">
                  {downloads} {maxDownloads === null ? "" : `of ${maxDownloads} `}
                  {downloads === 1 && maxDownloads === null ? "download" : "downloads"}
                  {hasPassword && " · password"} · until <Timestamp at={expiresAt.getTime()} />
                </p>
              </div>
              <button
                type="button"
                aria-label={copied === token ? "Copied" : "Copy the link"}
                title="Copy the link"
                onClick={() => void copy(token)}
                className="icon-button flex-none"
              >
                {copied === token ? (
                  <Check aria-hidden="true" className="size-4" />
                ) : (
                  <Copy aria-hidden="true" className="size-4" />
                )}
              </button>
              <button
                type="button"
                aria-label="Remove the link"
                title="Remove the link"
                disabled={revoke.isPending}
                onClick={() => revoke.mutate({ linkId: _id })}
                className="icon-button flex-none text-danger"
              >
                <Trash2 aria-hidden="true" className="size-4" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** The dialog is only rendered in a browser. */
const urlOf = (token: string) => `${window.location.origin}/share/${token}`;
