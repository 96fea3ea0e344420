import Link from "next/link";
import { SiteHeader } from "~/components/site-header";

export default function NotFound() {
  return (
    <>
      <SiteHeader />
      <main className="page items-center justify-center gap-2 text-center">
        <h1 className="font-semibold text-xl">This page does not exist</h1>
        <p className="text-muted text-sm">The address may be mistyped, or what was here has been deleted.</p>
        <Link href="/" className="button button-primary mt-4">
          Go to the start page
        </Link>
      </main>
    </>
  );
}
