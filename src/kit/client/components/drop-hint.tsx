import type { LucideIcon } from "lucide-react";

/** Lies over the page while files are dragged above it. */
export function DropHint({ icon: Icon, children }: { icon: LucideIcon; children: string }) {
  return (
    <div className="pointer-events-none fixed inset-0 z-20 grid place-items-center bg-canvas/85 p-6 backdrop-blur-sm">
      <p className="flex flex-col items-center gap-3 rounded-3xl border-2 border-accent border-dashed bg-surface px-14 py-12 font-medium text-lg shadow-raised">
        <Icon aria-hidden="true" className="size-8 text-accent" />
        {children}
      </p>
    </div>
  );
}
