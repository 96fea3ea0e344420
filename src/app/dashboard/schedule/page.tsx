import type { Metadata } from "next";
import { app } from "~/functions";
import { Prefetch, Schedule } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Schedule · Dashboard" };

interface SchedulePageProps {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default function SchedulePage({ searchParams }: SchedulePageProps) {
  return (
    <Prefetch app={app} page="schedule" searchParams={searchParams}>
      <Schedule />
    </Prefetch>
  );
}
