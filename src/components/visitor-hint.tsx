import Link from "next/link";
import { usePathname } from "next/navigation";
import { useViewer } from "~/kit/client";

/** Tells visitors without an account that their things are lost with the browser's cookie. */
export function VisitorHint({ things }: { things: string }) {
  const viewer = useViewer();
  const next = usePathname();
  if (!viewer || viewer.email !== null) return null;
  return (
    <p className="mb-4 text-pretty rounded-xl bg-sunken px-4 py-3 text-muted text-sm">
      Only this browser knows that these {things} are yours.{" "}
      <Link
        prefetch={false}
        href={{ pathname: "/sign-in", query: { new: "", next } }}
        className="text-accent underline"
      >
        Create an account
      </Link>{" "}
      to have them everywhere.
    </p>
  );
}
