"use client";

import type { inferRouterOutputs } from "@trpc/server";
import {
  CalendarClock,
  Check,
  Copy,
  FolderOpen,
  Gauge,
  HeartPulse,
  Plug,
  ScrollText,
  Settings2,
  SquareFunction,
  Table2,
  UsersRound,
} from "lucide-react";
import Link from "next/link";
import { usePathname, useSearchParams } from "next/navigation";
import { type MouseEvent, type ReactNode, type Ref, useEffect, useRef, useState } from "react";
import { createClient } from "../../client/create-client";
import { confirmLeaving } from "../../client/leaving";
import type { KitRouter } from "../../functions/router";

export const { useTRPC, useTRPCClient } = createClient<KitRouter>();

/** The results of the dashboard's procedures. */
export type Answers = inferRouterOutputs<KitRouter>["dashboard"];

const pages = [
  { href: "/dashboard", label: "Overview", icon: Gauge },
  { href: "/dashboard/data", label: "Data", icon: Table2 },
  { href: "/dashboard/files", label: "Files", icon: FolderOpen },
  { href: "/dashboard/functions", label: "Functions", icon: SquareFunction },
  { href: "/dashboard/schedule", label: "Schedule", icon: CalendarClock },
  { href: "/dashboard/logs", label: "Logs", icon: ScrollText },
  { href: "/dashboard/health", label: "Health", icon: HeartPulse },
  { href: "/dashboard/users", label: "Users", icon: UsersRound },
  { href: "/dashboard/settings", label: "Settings", icon: Settings2 },
  { href: "/dashboard/api", label: "API", icon: Plug },
];

interface DashboardFrameProps {
  /** The header of the app. */
  header: ReactNode;
  children: ReactNode;
}

/** The frame of all pages of the dashboard. `src/app/dashboard/layout.tsx` renders it. */
export function DashboardFrame({ header, children }: DashboardFrameProps) {
  const pathname = usePathname();
  const current = useRef<HTMLAnchorElement>(null);
  // On a phone the links are wider than the screen.
  useEffect(() => {
    const link = current.current;
    if (link?.pathname === pathname) link.parentElement?.parentElement?.scrollTo({ left: link.offsetLeft - 32 });
  }, [pathname]);
  return (
    // Tables need a wider column than text.
    <div className="flex min-h-dvh flex-col [--column:72rem]">
      {header}
      <nav aria-label="Dashboard" className="relative overflow-x-auto border-line border-b bg-surface px-page">
        <div className="column flex gap-1 max-sm:-mx-2">
          {pages.map(({ href, label, icon: Icon }) => (
            <Link
              key={href}
              ref={href === pathname ? current : undefined}
              href={href}
              prefetch={false}
              aria-current={href === pathname ? "page" : undefined}
              onNavigate={(event) => confirmLeaving() || event.preventDefault()}
              className="flex h-11 flex-none items-center gap-2 border-transparent border-b-2 px-3 font-medium text-muted text-sm -outline-offset-2 hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink"
            >
              <Icon aria-hidden="true" className="size-4 max-sm:hidden" />
              {label}
            </Link>
          ))}
        </div>
      </nav>
      {children}
    </div>
  );
}

interface DashboardPageProps {
  title: string;
  /** Shown beside the title. */
  actions?: ReactNode;
  /** Receives the focus when the element that had it is gone. */
  headingRef?: Ref<HTMLHeadingElement>;
  children: ReactNode;
}

/** One page of the dashboard: a title, and its content. */
export function DashboardPage({ title, actions, headingRef, children }: DashboardPageProps) {
  return (
    <main className="flex flex-1 flex-col px-page pb-[max(2rem,env(safe-area-inset-bottom))]">
      <div className="column flex flex-1 flex-col">
        <div className="flex flex-wrap items-center gap-2 pt-6 pb-4">
          <h1
            ref={headingRef}
            tabIndex={-1}
            className="flex-1 whitespace-nowrap font-semibold text-2xl tracking-tight outline-none"
          >
            {title}
          </h1>
          {actions}
        </div>
        {children}
      </div>
    </main>
  );
}

interface Figure {
  name: string;
  /** `undefined` while it is loading. */
  value: string | undefined;
  isBad?: boolean;
}

/** Numbers in a row, each with its name. */
export function Figures({ figures }: { figures: Figure[] }) {
  return (
    <dl className="mb-4 grid grid-cols-2 gap-3 sm:flex sm:flex-wrap">
      {figures.map(({ name, value, isBad }) => (
        <div key={name} className="sm:min-w-36 rounded-2xl border border-line bg-surface px-4 py-3">
          <dt className="text-muted text-xs">{name}</dt>
          <dd className={`font-semibold text-xl tabular-nums ${isBad ? "text-danger" : ""}`}>{value ?? "…"}</dd>
        </div>
      ))}
    </dl>
  );
}

/** `1234567` → `"1,234,567"` */
export const formatCount = (count: number) => number.format(count);
const number = new Intl.NumberFormat("en");

/** The parameters in the URL of the page. */
export const useSearch = (): URLSearchParams => new URLSearchParams(useSearchParams() ?? "");

/** Copies a text to the clipboard. */
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
        // Browsers offer no clipboard to pages without HTTPS.
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

/** `1234.5` milliseconds → `"1.2 s"`, `12.34` → `"12 ms"`, `0.56` → `"0.6 ms"` */
export function formatDuration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds.toFixed(milliseconds >= 10 ? 0 : 1)} ms`;
}

/**
 * For dialogs that open without a trigger of their own: returns the focus to the element that had it before, and closes the
 * dialog when a link in it leads to another page of the dashboard.
 */
export function useDialog(onClose: () => void) {
  const before = useRef<Element | null>(null);
  return {
    onClick({ target }: MouseEvent) {
      if (target instanceof Element && target.closest('a[href^="/dashboard"]')) onClose();
    },
    onOpenAutoFocus() {
      before.current = document.activeElement;
    },
    onCloseAutoFocus(event: Event) {
      event.preventDefault();
      if (before.current instanceof HTMLElement) before.current.focus();
    },
  };
}
