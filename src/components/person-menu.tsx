import { useMutation } from "@tanstack/react-query";
import { Copy, Gauge, LogOut, UserRound } from "lucide-react";
import Link from "next/link";
import { DropdownMenu } from "radix-ui";
import { authClient, confirmLeaving, Menu, type MenuState, type Viewer } from "~/kit/client";

/** The menu of a person who has an account. */
export function PersonMenu({ viewer, ...menu }: { viewer: Viewer } & MenuState) {
  const copy = useMutation({ mutationFn: () => navigator.clipboard.writeText(viewer.id) });
  const signOut = useMutation({
    mutationFn: async () => {
      await authClient.signOut();
      window.location.assign("/");
    },
  });

  return (
    <Menu {...menu} aria-label={`Account of ${viewer.name}`} sideOffset={4} className="w-64">
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
    </Menu>
  );
}
