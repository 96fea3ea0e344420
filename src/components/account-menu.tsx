import { useMutation } from "@tanstack/react-query";
import { Copy, Gauge, LogIn, LogOut, UserRound } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { DropdownMenu } from "radix-ui";
import { authClient, confirmLeaving, useViewer } from "~/kit/client";
import { Avatar } from "./avatar";

/** Leads visitors to the sign-in page, and shows people with an account their menu. */
export function AccountMenu() {
  const viewer = useViewer();
  const pathname = usePathname();
  const copy = useMutation({ mutationFn: () => navigator.clipboard.writeText(viewer?.id ?? "") });
  const signOut = useMutation({
    mutationFn: async () => {
      await authClient.signOut();
      window.location.assign("/");
    },
  });

  if (!viewer?.email) {
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
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger
        aria-label={`Account of ${viewer.name}`}
        className="-mr-1.5 grid size-11 flex-none place-items-center rounded-full hover:bg-sunken"
      >
        <Avatar name={viewer.name} className="size-8" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Content align="end" sideOffset={4} collisionPadding={12} className="menu w-64">
        <DropdownMenu.Label className="px-3 py-2">
          <span dir="auto" className="block truncate font-medium text-sm">
            {viewer.name}
          </span>
          <span className="block truncate text-muted text-xs">{viewer.email}</span>
        </DropdownMenu.Label>
        <DropdownMenu.Item asChild className="menu-item">
          <Link href="/account" prefetch={false} onNavigate={(event) => confirmLeaving() || event.preventDefault()}>
            <UserRound aria-hidden="true" className="size-4 text-muted" />
            Account
          </Link>
        </DropdownMenu.Item>
        {viewer.isAdmin && (
          <DropdownMenu.Item asChild className="menu-item">
            <Link href="/dashboard" prefetch={false} onNavigate={(event) => confirmLeaving() || event.preventDefault()}>
              <Gauge aria-hidden="true" className="size-4 text-muted" />
              Dashboard
            </Link>
          </DropdownMenu.Item>
        )}
        <DropdownMenu.Item
          onSelect={(event) => {
            event.preventDefault();
            copy.mutate();
          }}
          className="menu-item"
        >
          <Copy aria-hidden="true" className="size-4 text-muted" />
          <span className="min-w-0">
            <span className="block">{copy.isSuccess ? "Account id copied" : "Copy account id"}</span>
            <span className="block select-text break-all font-mono text-muted text-xs">{viewer.id}</span>
          </span>
        </DropdownMenu.Item>
        <DropdownMenu.Item
          disabled={signOut.isPending}
          onSelect={(event) => {
            // Keep the menu open until the page is left or an error is shown.
            event.preventDefault();
            signOut.mutate();
          }}
          className="menu-item"
        >
          <LogOut aria-hidden="true" className="size-4 text-muted" />
          {signOut.isPending ? "Signing out…" : "Sign out"}
        </DropdownMenu.Item>
        {signOut.isError && (
          <p role="alert" className="px-3 py-2 text-danger text-sm">
            You are still signed in. Check your network, then try again.
          </p>
        )}
      </DropdownMenu.Content>
    </DropdownMenu.Root>
  );
}
