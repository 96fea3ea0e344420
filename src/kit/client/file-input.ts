import { type ChangeEvent, type DragEvent, useEffect, useRef, useState } from "react";

/** What systems put into folders for themselves. */
const ignored = [".DS_Store", "Thumbs.db"];

/**
 * Receives the files that people choose, and those that they drop on an area. Files of a dropped folder keep their path in
 * it. Spread `area` on the area's element and `input` on an `<input>`, which is hidden: `open()` shows the browser's dialog.
 * `isDragging` is true while files are dragged over the area. Files that are dropped beside it do nothing.
 *
 * @example
 * const { area, input, open, isDragging } = useFileInput(add);
 * return (
 *   <div {...area} className={isDragging ? "bg-sunken" : ""}>
 *     <button type="button" onClick={open}>Choose files</button>
 *     <input {...input} accept="image/*" />
 *   </div>
 * );
 */
export function useFileInput(onFiles: (files: File[]) => void) {
  const ref = useRef<HTMLInputElement>(null);
  /** The elements of the area that the pointer is in. It enters one before it leaves the one around it. */
  const entered = useRef<EventTarget[]>([]);
  const [isDragging, setDragging] = useState(false);

  useEffect(() => {
    // Without this the browser leaves the page, and opens the file.
    const refuse = (event: globalThis.DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    };
    document.addEventListener("dragover", refuse);
    document.addEventListener("drop", refuse);
    return () => {
      document.removeEventListener("dragover", refuse);
      document.removeEventListener("drop", refuse);
    };
  }, []);

  async function receive(files: Promise<File[]>) {
    const kept = (await files).filter(({ name }) => !ignored.includes(name));
    if (kept.length > 0) onFiles(await Promise.all(kept.map(withType)));
  }

  function track(event: DragEvent, targets: EventTarget[]) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    // An element that was removed meanwhile is never left.
    entered.current = targets.filter((target) => event.currentTarget.contains(target as Node));
    setDragging(entered.current.length > 0);
  }

  return {
    isDragging,
    open: () => ref.current?.click(),
    area: {
      onDragEnter: (event: DragEvent) => track(event, [...entered.current, event.target]),
      onDragOver: (event: DragEvent) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = "copy";
      },
      onDragLeave: (event: DragEvent) =>
        track(
          event,
          entered.current.filter((target) => target !== event.target),
        ),
      onDrop: (event: DragEvent) => {
        track(event, []);
        if (hasFiles(event)) void receive(droppedFiles(event.dataTransfer));
      },
    },
    input: {
      ref,
      type: "file",
      multiple: true,
      hidden: true,
      onChange: ({ currentTarget }: ChangeEvent<HTMLInputElement>) => {
        void receive(Promise.resolve([...(currentTarget.files ?? [])]));
        // The same file may be chosen again.
        currentTarget.value = "";
      },
    },
  } as const;
}

const hasFiles = ({ dataTransfer }: { dataTransfer: DataTransfer | null }) =>
  dataTransfer?.types.includes("Files") ?? false;

/** The browser forgets the items when the event is over, so all of them are asked at once. */
async function droppedFiles({ items }: DataTransfer): Promise<File[]> {
  const files = [...items].filter(({ kind }) => kind === "file").map(filesOf);
  return (await Promise.all(files)).flat();
}

async function filesOf(item: DataTransferItem & { getAsFileSystemHandle?: () => Promise<unknown> }): Promise<File[]> {
  const entry = item.webkitGetAsEntry();
  if (entry?.isDirectory) return filesIn(entry as FileSystemDirectoryEntry);
  const file = item.getAsFile();
  if (!file) return [];
  // With a handle, an upload can be continued without choosing its file again.
  const handle = await item.getAsFileSystemHandle?.().catch(() => null);
  return [handle ? Object.assign(file, { handle }) : file];
}

async function filesIn(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    // A reader returns a hundred entries at a time.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return files;
    const found = entries.map(async (entry) => {
      if (entry.isDirectory) return filesIn(entry as FileSystemDirectoryEntry);
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      return [Object.assign(file, { droppedPath: entry.fullPath })];
    });
    files.push(...(await Promise.all(found)).flat());
  }
}

/** Adds the type that the extension says, when the browser does not know it. The list is large, and rarely needed. */
async function withType(file: File): Promise<File> {
  if (file.type !== "" || !file.name.includes(".")) return file;
  const selector = await import("file-selector").catch(() => null);
  const [typed] = (await selector?.fromEvent([{ getFile: async () => file }])) ?? [];
  return typed instanceof File ? typed : file;
}
