"use client";

import { MessageSquareText } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { confirmLeaving } from "~/kit/client";
import { AccountMenu } from "./account-menu";
import { pages } from "./pages";

/** The header of every page. `children` are the page's own controls. */
export function SiteHeader({ children }: { children?: ReactNode }) {
  const pathname = usePathname();
  return (
    <header className="z-10 border-line border-b bg-surface px-page pt-[env(safe-area-inset-top)]">
      <div className="column flex h-14 items-center gap-1 sm:gap-2">
        <nav
          aria-label="Pages"
          className="-ml-2.5 flex min-w-0 scroll-px-1 items-center overflow-x-auto px-1 py-1.5 [scrollbar-width:none] sm:gap-1"
        >
          <Link
            href="/"
            prefetch={false}
            aria-label="Start"
            aria-current={pathname === "/" ? "page" : undefined}
            onNavigate={(event) => confirmLeaving() || event.preventDefault()}
            className="grid size-11 flex-none place-items-center"
          >
            <span className="grid size-8 place-items-center rounded-lg bg-accent text-on-accent">
              <MessageSquareText aria-hidden="true" className="size-4.5" />
            </span>
          </Link>
          {pages.map(({ href, label }) => (
            <Link
              key={href}
              href={href}
              // Prefetching would load nothing, because these pages differ for each viewer.
              prefetch={false}
              aria-current={href === pathname ? "page" : undefined}
              onNavigate={(event) => confirmLeaving() || event.preventDefault()}
              className="grid h-11 min-w-11 flex-none place-items-center rounded-full px-2 font-medium text-muted text-sm hover:text-ink sm:px-3 aria-[current=page]:text-accent"
            >
              {label}
            </Link>
          ))}
        </nav>
        <div className="flex min-w-0 flex-1 items-center justify-end gap-1">{children}</div>
        <AccountMenu />
      </div>
    </header>
  );
}
