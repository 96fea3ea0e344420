"use client";

/** What is shown when a page throws. The error itself is in the server's log, or in the console. */
export default function ErrorPage({ retry }: { error: unknown; retry: () => void }) {
  return (
    <main className="grid min-h-dvh place-items-center px-page text-center">
      <div role="alert" className="grid justify-items-center gap-2">
        <h1 className="font-semibold text-xl">Something went wrong</h1>
        <p className="text-muted text-sm">This page could not be shown. Nothing you sent is lost.</p>
        <button
          type="button"
          onClick={retry}
          className="mt-4 h-11 rounded-full bg-accent px-5 font-medium text-on-accent text-sm hover:bg-accent-hover"
        >
          Try again
        </button>
      </div>
    </main>
  );
}
