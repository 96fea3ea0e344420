import { Progress } from "radix-ui";
import type { Upload } from "../upload-queue";

interface UploadProgressProps {
  upload: Upload;
  /** What it is called to screen readers. */
  label: string;
  /** Of the whole, and of the part that is done. */
  className: string;
  barClassName: string;
}

export const percent = new Intl.NumberFormat("en", { style: "percent" });

/** How much of an upload has been sent, as a bar. */
export function UploadProgress({ upload: { sent, file }, label, className, barClassName }: UploadProgressProps) {
  const max = Math.max(file.size, 1);
  return (
    <Progress.Root
      value={sent}
      max={max}
      aria-label={label}
      getValueLabel={() => percent.format(sent / max)}
      className={`h-1 overflow-hidden rounded-full ${className}`}
    >
      <Progress.Indicator
        className={`h-full origin-left motion-safe:transition-transform ${barClassName}`}
        style={{ transform: `scaleX(${sent / max})` }}
      />
    </Progress.Root>
  );
}
