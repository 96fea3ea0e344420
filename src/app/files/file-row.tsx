import { Download, Ellipsis } from "lucide-react";
import { useState } from "react";
import { useTRPCClient } from "~/components/api";
import { Checkbox, ConfirmDialog, deferred, FileIcon, formatBytes, Timestamp, useMenu } from "~/kit/client";
import type { SavedFile } from "./file-list-query";
import { FileName } from "./file-name";

const FileMenu = deferred(() => import("./file-menu").then(({ FileMenu }) => FileMenu));
const LinkDialog = deferred(() => import("./link-dialog").then(({ LinkDialog }) => LinkDialog));
const ShareDialog = deferred(() => import("./share-dialog").then(({ ShareDialog }) => ShareDialog));

interface FileRowProps {
  file: SavedFile;
  isSelected: boolean;
  onSelect: (isSelected: boolean) => void;
  focusAbove: () => void;
}

export function FileRow({ file, isSelected, onSelect, focusAbove }: FileRowProps) {
  const { storageId, name, size, url, iconUrl, downloadUrl } = file;
  const type = file.contentType?.split(";")[0] ?? "";
  const client = useTRPCClient();
  const [open, setOpen] = useState<"name" | "link" | "share" | "deletion" | null>(null);
  const { button, menu } = useMenu();
  const focusMenu = () => button.ref.current?.focus();
  const close = () => setOpen(null);
  // On a phone the field for the name needs the room.
  const besideField = open === "name" ? "max-sm:hidden" : "";
  const isPicture = /^image\/(png|jpeg|gif|webp|avif)$/.test(type);

  return (
    <li className="flex items-center border-line pr-2 pl-2 not-first:border-t has-[:checked]:bg-sunken/60">
      <span className={besideField}>
        <Checkbox label={`Select ${name}`} checked={isSelected} onChange={onSelect} />
      </span>
      <div className="ml-1 flex min-w-0 flex-1 items-center gap-3 py-3">
        <span className={besideField}>
          <FileIcon type={type} imageUrl={isPicture ? iconUrl : null} />
        </span>
        <div className="min-w-0 flex-1">
          <FileName
            key={name}
            name={name}
            url={url}
            isEditing={open === "name"}
            onRename={async (next) => {
              await client.files.rename.mutate({ storageId, name: next });
            }}
            onDone={() => {
              close();
              focusMenu();
            }}
          />
          {open !== "name" && (
            <p className="flex gap-x-2 text-muted text-xs">
              {url === null ? (
                "Being checked"
              ) : (
                <>
                  <span className="flex-none tabular-nums sm:hidden">{formatBytes(size)}</span>
                  <span className="min-w-0 flex-1 truncate">{type || "Unknown type"}</span>
                  {/* This comes last because it is empty at first, so that nothing moves when it appears. */}
                  <span className="flex-none sm:hidden">
                    <Timestamp at={file._creationTime} />
                  </span>
                </>
              )}
            </p>
          )}
        </div>
        <span className="w-20 flex-none text-right text-muted text-xs tabular-nums max-sm:hidden">
          {formatBytes(size)}
        </span>
        <span className="w-28 flex-none text-right max-sm:hidden">
          <Timestamp at={file._creationTime} />
        </span>
      </div>
      {downloadUrl && (
        <a
          href={downloadUrl}
          download
          aria-label={`Download ${name}`}
          title="Download"
          className="icon-button ml-2 max-sm:hidden"
        >
          <Download aria-hidden="true" className="size-4.5" />
        </a>
      )}
      <button {...button} aria-label={`More for ${name}`} title="More" className="icon-button">
        <Ellipsis aria-hidden="true" className="size-5" />
      </button>
      <FileMenu {...menu} file={file} onChoose={setOpen} />
      <LinkDialog file={file} isOpen={open === "link"} onClose={close} onClosed={focusMenu} />
      <ShareDialog file={file} isOpen={open === "share"} onClose={close} onClosed={focusMenu} />
      <ConfirmDialog
        isOpen={open === "deletion"}
        onOpenChange={close}
        title={`Delete “${name}”?`}
        description="This cannot be undone. Links to it stop working at once."
        action="Delete"
        onConfirm={async () => {
          await client.files.delete.mutate({ storageId });
        }}
        onClosed={(isDone) => (isDone ? focusAbove() : focusMenu())}
      />
    </li>
  );
}
