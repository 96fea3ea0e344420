import type { Metadata } from "next";
import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { isAdmin } from "~/server/dashboard/admin-procedure";
import { caller } from "../prefetch";

export const metadata: Metadata = { title: "Dashboard", description: "Files, functions, schedule and logs." };

/** For everybody but administrators there is no dashboard. What its pages show is guarded by their calls, each by itself. */
export default async function DashboardLayout({ children }: { children: ReactNode }) {
  if (!(await isAdmin(await (await caller()).identity()))) notFound();
  return children;
}
