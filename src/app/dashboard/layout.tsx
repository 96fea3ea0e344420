import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { SiteHeader } from "~/components/site-header";
import { DashboardFrame } from "~/kit/dashboard";
import { isAdmin, viewer } from "~/kit/pages";

/** Answers 404 to everyone except administrators. This is not the guard of the data: each call checks its caller itself. */
export default async function DashboardLayout({ children }: { children: ReactNode }) {
  if (!(await isAdmin(await viewer()))) notFound();
  return <DashboardFrame header={<SiteHeader />}>{children}</DashboardFrame>;
}
