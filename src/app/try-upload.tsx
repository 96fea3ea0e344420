"use client";

import Link from "next/link";
import { useState } from "react";
import { useTRPCClient } from "~/components/api";
import { UploadDropzone } from "~/components/upload";

/** Uploads a file, saves it with the viewer's files, and opens its page. */
export function TryUpload() {
  const { files } = useTRPCClient();
  const [saved, setSaved] = useState<{ _id: string; name: string } | null>(null);
  return (
    <>
      <UploadDropzone
        generateUploadUrl={() => files.generateUploadUrl.mutate({})}
        onUploaded={async ({ storageId, file }) => {
          setSaved(await files.saveFile.mutate({ storageId, name: file.name.slice(0, 255) || "Untitled" }));
        }}
      >
        Choose files
      </UploadDropzone>
      <p role="status" className="wrap-anywhere text-sm">
        {saved && (
          <>
            Stored, for you alone:{" "}
            <Link href={`/files/${saved._id}`} prefetch={false} className="text-accent underline">
              {saved.name}
            </Link>
          </>
        )}
      </p>
    </>
  );
}
