"use client";

import { SiteHeader } from "~/components/site-header";

/** Replaces a page that throws. The error is in the server's log, or in the browser's console. */
export default function ErrorPage({ retry }: { error: unknown; retry: () => void }) {
  return (
    <>
      <SiteHeader />
      <main className="page items-center justify-center text-center">
        <div role="alert" className="grid justify-items-center gap-2">
          <h1 className="font-semibold text-xl">Something went wrong</h1>
          <p className="text-muted text-sm">This page could not be shown. Nothing you sent is lost.</p>
          <button type="button" onClick={retry} className="button button-primary mt-4">
            Try again
          </button>
        </div>
      </main>
    </>
  );
}
