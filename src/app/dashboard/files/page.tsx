import type { Metadata } from "next";
import { app } from "~/functions";
import { Files, Prefetch } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Files · Dashboard" };

export default function FilesPage() {
  return (
    <Prefetch app={app} page="files">
      <Files />
    </Prefetch>
  );
}
