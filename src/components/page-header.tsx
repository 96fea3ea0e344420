import type { ReactNode, Ref } from "react";

interface PageHeaderProps {
  title: string;
  /** One or two sentences below the title. */
  description?: ReactNode;
  /** The title. It receives the focus when the focused element disappears. */
  ref?: Ref<HTMLHeadingElement>;
  /** Buttons beside the title. */
  children?: ReactNode;
}

/**
 * The title of a page and its buttons. It comes first in `<main className="page">`:
 *
 *     <SiteHeader />
 *     <main className="page">
 *       <PageHeader title="Notes" />
 */
export function PageHeader({ title, description, ref, children }: PageHeaderProps) {
  return (
    <div className="flex flex-wrap items-center gap-2 pt-6 pb-4 sm:pt-8">
      <h1
        ref={ref}
        dir="auto"
        tabIndex={-1}
        className="wrap-anywhere min-w-32 flex-1 font-semibold text-2xl tracking-tight outline-none"
      >
        {title}
      </h1>
      {children}
      {description && (
        <div className="w-full text-muted text-sm">
          <p className="max-w-prose text-pretty">{description}</p>
        </div>
      )}
    </div>
  );
}
