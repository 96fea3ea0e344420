import Link from "next/link";

export default function NotFound() {
  return (
    <main className="grid min-h-dvh place-items-center px-page text-center">
      <div className="grid justify-items-center gap-2">
        <h1 className="font-semibold text-xl">This page does not exist</h1>
        <p className="text-muted text-sm">The address may be mistyped, or the page has moved.</p>
        <Link
          href="/"
          className="mt-4 flex h-11 items-center rounded-full bg-accent px-5 font-medium text-on-accent text-sm hover:bg-accent-hover"
        >
          Go to the chat
        </Link>
      </div>
    </main>
  );
}
