import { LogIn } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { confirmLeaving, deferred, useMenu, useViewer } from "~/kit/client";
import { Avatar } from "./avatar";

const PersonMenu = deferred(() => import("./person-menu").then(({ PersonMenu }) => PersonMenu));

/** Leads visitors to the sign-in page, and shows people with an account their menu. */
export function AccountMenu() {
  const viewer = useViewer();
  const pathname = usePathname();
  const { button, menu } = useMenu();

  if (viewer?.email) {
    return (
      <>
        <button
          {...button}
          aria-label={`Account of ${viewer.name}`}
          className="-mr-1.5 grid size-11 flex-none place-items-center rounded-full hover:bg-sunken"
        >
          <Avatar name={viewer.name} className="size-8" />
        </button>
        <PersonMenu {...menu} viewer={viewer} />
      </>
    );
  }
  if (pathname === "/sign-in") return null;
  return (
    <Link
      prefetch={false}
      href={{ pathname: "/sign-in", query: { next: pathname } }}
      onNavigate={(event) => confirmLeaving() || event.preventDefault()}
      className="-mr-2 flex h-11 min-w-11 flex-none items-center justify-center gap-2 rounded-full font-medium text-sm hover:bg-sunken sm:px-3"
    >
      <LogIn aria-hidden="true" className="size-4.5 text-muted" />
      <span className="max-sm:sr-only">Sign in</span>
    </Link>
  );
}
