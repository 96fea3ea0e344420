import { LoaderCircle, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

interface SubmitRowProps {
  icon: LucideIcon;
  label: string;
  isDisabled: boolean;
  isRunning: boolean;
  /** Beside the button. */
  children: ReactNode;
}

/** The end of a form that runs something. */
export function SubmitRow({ icon: Icon, label, isDisabled, isRunning, children }: SubmitRowProps) {
  return (
    <div className="flex flex-wrap items-start gap-3">
      {children}
      <button type="submit" disabled={isDisabled} className="button button-primary sm:mt-5">
        {isRunning ? (
          <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
        ) : (
          <Icon aria-hidden="true" className="size-4" />
        )}
        {label}
      </button>
    </div>
  );
}
