import { Check, Copy } from "lucide-react";
import { useState } from "react";

/** Puts a text into the clipboard. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState<string | null>(null);
  const isCopied = copied === text;
  const Icon = isCopied ? Check : Copy;
  return (
    <button
      type="button"
      aria-label={label}
      title={isCopied ? "Copied" : label}
      onClick={async () => {
        // Without HTTPS there is no clipboard.
        await navigator.clipboard?.writeText(text);
        if (navigator.clipboard) setCopied(text);
      }}
      className="icon-button"
    >
      <Icon aria-hidden="true" className="size-4" />
      <span role="status" className="sr-only">
        {isCopied ? "Copied" : ""}
      </span>
    </button>
  );
}
