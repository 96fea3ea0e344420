import { ArrowRight, Folder, Globe, Images, type LucideIcon, MessagesSquare } from "lucide-react";
import Link from "next/link";
import { PageHeader } from "~/components/page-header";
import { SiteHeader } from "~/components/site-header";
import { isAdmin, viewer } from "~/kit/pages";
import { TryUpload } from "./try-upload";

const demos: { href: string; title: string; icon: LucideIcon; shows: string }[] = [
  { href: "/chat", title: "Chat", icon: MessagesSquare, shows: "Live queries, and uploads that become messages." },
  {
    href: "/files",
    title: "Files",
    icon: Folder,
    shows: "Private files: search, names, signed links, pages with an id.",
  },
  {
    href: "/gallery",
    title: "Gallery",
    icon: Images,
    shows: "Actions and scheduled functions, which make thumbnails.",
  },
  {
    href: "/http-demo",
    title: "HTTP API",
    icon: Globe,
    shows: "HTTP actions, called from the browser as from anywhere.",
  },
];

const steps = [
  ["src/functions", "Queries, mutations and actions, one file per feature."],
  ["src/app and src/components", "Pages, and the components that they share."],
  ["prisma/schema/app.prisma", "Your tables. npm run db:migrate applies a change."],
  ["README.md and docs", "How to add a table, a function, an upload and a page, and the reference."],
];

export default async function StartPage() {
  const showsDashboard = await isAdmin(await viewer());
  return (
    <>
      <SiteHeader />
      <main className="page">
        <PageHeader
          title="next-trpc-storage"
          description="A starter for apps with files: Next.js, tRPC and Prisma, with file storage and HTTP actions in your own database and blob store."
        />
        <TryUpload />
        <h2 className="mt-6 mb-3 font-semibold">Try the demos</h2>
        <ul className="grid gap-3 sm:grid-cols-2">
          {demos.map(({ href, title, icon: Icon, shows }) => (
            <li key={href}>
              <Link
                href={href}
                prefetch={false}
                className="card group flex h-full items-start gap-3 hover:border-accent"
              >
                <Icon aria-hidden="true" className="mt-0.5 size-5 flex-none text-accent" />
                <span className="min-w-0 flex-1">
                  <span className="block font-medium">{title}</span>
                  <span className="block text-pretty text-muted text-sm">{shows}</span>
                </span>
                <ArrowRight aria-hidden="true" className="mt-0.5 size-4 flex-none text-muted group-hover:text-accent" />
              </Link>
            </li>
          ))}
        </ul>
        <p className="mt-3 text-muted text-sm">
          <code className="text-ink">npm run demos:remove</code> removes all of them, and leaves an empty app that runs.
        </p>
        <h2 className="mt-8 mb-3 font-semibold">Write your own</h2>
        <dl className="card grid gap-3 text-sm">
          {steps.map(([place, what]) => (
            <div key={place}>
              <dt className="font-medium">{place}</dt>
              <dd className="text-muted">{what}</dd>
            </div>
          ))}
        </dl>
        <h2 className="mt-8 mb-3 font-semibold">See what it does</h2>
        <p className="max-w-prose text-muted text-sm">
          {showsDashboard ? (
            <Link href="/dashboard" prefetch={false} className="text-accent underline">
              The dashboard
            </Link>
          ) : (
            "The dashboard, at /dashboard,"
          )}{" "}
          shows files, functions, scheduled jobs and logs to administrators.{" "}
          <code className="text-ink">npm run admin</code> makes an account an administrator.
        </p>
      </main>
    </>
  );
}
