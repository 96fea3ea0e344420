import {
  File,
  FileArchive,
  FileCode,
  FileImage,
  FileMusic,
  FileSpreadsheet,
  FileText,
  FileVideo,
  type LucideIcon,
} from "lucide-react";

const icons: [RegExp, LucideIcon][] = [
  [/^image\//, FileImage],
  [/^video\//, FileVideo],
  [/^audio\//, FileMusic],
  [/zip|tar|compressed|rar|7z/, FileArchive],
  [/csv|spreadsheet|excel/, FileSpreadsheet],
  [/html|json|javascript|xml|css/, FileCode],
  [/^text\/|pdf|document|msword/, FileText],
];

/** What kind of file it is, or with `imageUrl` what it shows. */
export function FileIcon({ type, imageUrl }: { type: string; imageUrl: string | null }) {
  const Icon = icons.find(([pattern]) => pattern.test(type))?.[1] ?? File;
  return (
    <span
      aria-hidden="true"
      className="grid size-10 flex-none place-items-center rounded-lg bg-center bg-cover bg-sunken text-muted"
      style={imageUrl ? { backgroundImage: `url("${imageUrl}")` } : undefined}
    >
      {!imageUrl && <Icon className="size-5" />}
    </span>
  );
}
