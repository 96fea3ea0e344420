"use client";

import type { inferRouterOutputs } from "@trpc/server";
import { Download, FileClock, FileX2 } from "lucide-react";
import type { AppRouter } from "~/functions";
import { Empty, formatBytes } from "~/kit/client";

interface SharedFileProps {
  token: string;
  /** `null` when the link does not work, "held" while the file is held. */
  file: inferRouterOutputs<AppRouter>["shares"]["get"];
  /** Whether the browser comes back with a wrong password. */
  isWrong: boolean;
}

/** The form that begins the download. The browser sends it by itself, so it works without JavaScript. */
export function SharedFile({ token, file, isWrong }: SharedFileProps) {
  if (!file) {
    return (
      <Empty icon={FileX2} title="This link does not work">
        It has expired, was used up or was taken back. Ask the person who sent it for another.
      </Empty>
    );
  }
  if (file === "held") {
    return (
      <Empty icon={FileClock} title="The file is not ready yet">
        It is still being checked. Try again later.
      </Empty>
    );
  }
  return (
    <form method="post" action={`/http/shares/${token}`} className="grid gap-4">
      <div className="grid gap-1">
        <h1 dir="auto" className="wrap-anywhere font-semibold text-xl tracking-tight">
          {file.name}
        </h1>
        <p className="wrap-anywhere text-muted text-sm">
          {formatBytes(file.size)}
          {file.contentType && ` · ${file.contentType}`}
        </p>
      </div>
      {file.hasPassword && (
        <label className="grid gap-1 text-sm">
          <span className="font-medium">Password</span>
          <input type="password" name="password" required autoComplete="off" maxLength={200} className="field" />
        </label>
      )}
      {isWrong && (
        <p role="alert" className="text-danger text-sm">
          This is not the password. Ask the person who sent you the link.
        </p>
      )}
      <button type="submit" className="button button-primary">
        <Download aria-hidden="true" className="size-4" />
        Download
      </button>
    </form>
  );
}
