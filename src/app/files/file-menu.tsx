import { Download, Info, Link2, Pencil, Share2, Trash2 } from "lucide-react";
import Link from "next/link";
import { DropdownMenu } from "radix-ui";
import { useRef } from "react";
import { confirmLeaving, Menu, type MenuState } from "~/kit/client";
import type { SavedFile } from "./file-list-query";

type Choice = "name" | "link" | "share" | "deletion";

interface FileMenuProps extends MenuState {
  file: SavedFile;
  onChoose: (choice: Choice) => void;
}

const choices = [
  { choice: "name", label: "Rename", icon: Pencil },
  { choice: "link", label: "Copy link…", icon: Link2 },
  { choice: "share", label: "Share…", icon: Share2 },
  { choice: "deletion", label: "Delete…", icon: Trash2 },
] as const;
const unlinked = choices.filter(({ choice }) => choice !== "link" && choice !== "share");

/** The menu of one file. */
export function FileMenu({ file: { _id, name, downloadUrl }, onChoose, ...menu }: FileMenuProps) {
  const chosen = useRef<Choice | null>(null);
  return (
    <Menu
      {...menu}
      aria-label={`More for ${name}`}
      // The chosen dialog opens when the menu is closed. The focus goes to the dialog instead of the button.
      onCloseAutoFocus={(event) => {
        if (!chosen.current) return;
        event.preventDefault();
        onChoose(chosen.current);
        chosen.current = null;
      }}
    >
      <DropdownMenu.Item asChild className="menu-item">
        <Link
          href={`/files/${_id}`}
          prefetch={false}
          onNavigate={(event) => confirmLeaving() || event.preventDefault()}
        >
          <Info aria-hidden="true" className="size-4 text-muted" />
          Details
        </Link>
      </DropdownMenu.Item>
      {downloadUrl && (
        <DropdownMenu.Item asChild className="menu-item sm:hidden">
          <a href={downloadUrl} download>
            <Download aria-hidden="true" className="size-4 text-muted" />
            Download
          </a>
        </DropdownMenu.Item>
      )}
      {/* A file without a URL is held, so there is nothing to link to. */}
      {(downloadUrl ? choices : unlinked).map(({ choice, label, icon: Icon }) => (
        <DropdownMenu.Item
          key={choice}
          onSelect={() => {
            chosen.current = choice;
          }}
          className={`menu-item ${choice === "deletion" ? "text-danger" : ""}`}
        >
          <Icon aria-hidden="true" className={`size-4 ${choice === "deletion" ? "" : "text-muted"}`} />
          {label}
        </DropdownMenu.Item>
      ))}
    </Menu>
  );
}
