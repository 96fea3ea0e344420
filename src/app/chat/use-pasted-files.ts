import { useEffect, useEffectEvent } from "react";

/** Calls `onFiles` with files that are pasted anywhere on the page. Ignores text with a picture, such as spreadsheet cells. */
export function usePastedFiles(onFiles: (files: File[]) => void) {
  const handlePaste = useEffectEvent((event: ClipboardEvent) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (files.length === 0 || event.clipboardData?.types.includes("text/plain")) return;
    event.preventDefault();
    onFiles(files);
  });
  useEffect(() => {
    document.addEventListener("paste", handlePaste);
    return () => document.removeEventListener("paste", handlePaste);
  }, []);
}
