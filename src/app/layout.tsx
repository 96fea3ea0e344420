import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { ApiProvider } from "~/components/api";
import { liveTransport, Prefetched, prefetchViewer } from "~/kit/pages";
import "./globals.css";

export const metadata: Metadata = {
  title: "next-trpc-storage",
  description: "A starter for apps with files: Next.js, tRPC and Prisma.",
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

export default async function RootLayout({ children }: { children: ReactNode }) {
  await prefetchViewer();
  return (
    <html lang="en">
      <body className="flex min-h-dvh flex-col font-sans">
        <ApiProvider transport={liveTransport()}>
          <Prefetched>{children}</Prefetched>
        </ApiProvider>
      </body>
    </html>
  );
}
