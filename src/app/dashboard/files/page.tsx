import type { Metadata } from "next";
import { Files } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Files · Dashboard" };

export default function FilesPage() {
  return <Files />;
}
