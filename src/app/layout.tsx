import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { ApiProvider } from "~/client/provider";
import { type Viewer, viewerQuery } from "~/client/viewer";
import { liveTransport } from "~/server/changes/live-transport";
import { Prefetched, queryClient, viewer } from "./prefetch";
import "./globals.css";

export const metadata: Metadata = {
  title: "Chat",
  description: "Send messages and pictures to everyone on this page.",
};

export const viewport: Viewport = {
  viewportFit: "cover",
  // The on-screen keyboard shrinks the page, so that the composer stays above it.
  interactiveWidget: "resizes-content",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fafbfc" },
    { media: "(prefers-color-scheme: dark)", color: "#101318" },
  ],
};

async function readViewer(): Promise<Viewer | null> {
  const identity = await viewer();
  return identity && { id: identity.subject, name: identity.name ?? "", email: identity.email ?? null };
}

export default async function RootLayout({ children }: { children: ReactNode }) {
  await queryClient().prefetchQuery({ ...viewerQuery, queryFn: readViewer });
  return (
    <html lang="en">
      <body className="font-sans">
        <ApiProvider transport={liveTransport()}>
          <Prefetched>{children}</Prefetched>
        </ApiProvider>
      </body>
    </html>
  );
}
