import { LoaderCircle, type LucideIcon, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { explainError } from "../explain-error";

/** What stands in the place of a list: that it is loading, is empty, or could not be loaded. */
export function Loading({ children }: { children: string }) {
  return (
    <p role="status" className="m-auto flex items-center gap-2 p-6 text-muted text-sm">
      <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
      {children}
    </p>
  );
}

interface EmptyProps {
  icon: LucideIcon;
  title: string;
  children: ReactNode;
}

export function Empty({ icon: Icon, title, children }: EmptyProps) {
  return (
    <div className="m-auto flex flex-col items-center gap-2 p-6 text-center">
      <span className="mb-2 grid size-16 place-items-center rounded-full bg-sunken text-muted">
        <Icon aria-hidden="true" className="size-7" />
      </span>
      <p className="font-semibold text-lg">{title}</p>
      <p className="max-w-80 text-balance text-muted text-sm">{children}</p>
    </div>
  );
}

interface FailedProps {
  title: string;
  error: unknown;
  onRetry: () => void;
}

export function Failed({ title, error, onRetry }: FailedProps) {
  return (
    <div role="alert" className="m-auto flex flex-col items-center gap-2 p-6 text-center">
      <TriangleAlert aria-hidden="true" className="mb-1 size-8 text-danger" />
      <p className="font-semibold">{title}</p>
      <p className="text-muted text-sm">{explainError(error)}</p>
      <button type="button" onClick={onRetry} className="button button-quiet mt-3">
        Try again
      </button>
    </div>
  );
}
