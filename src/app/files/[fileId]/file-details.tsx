"use client";

import { useQuery } from "@tanstack/react-query";
import { Download, FileX2 } from "lucide-react";
import { useTRPC, useTRPCClient } from "~/components/api";
import { PageHeader } from "~/components/page-header";
import { SiteHeader } from "~/components/site-header";
import { UploadButton } from "~/components/upload";
import { Empty, Failed, formatBytes, Loading, Timestamp } from "~/kit/client";

/** Shows one of the viewer's files. A change in another window appears here, too. */
export function FileDetails({ fileId }: { fileId: string }) {
  const client = useTRPCClient();
  const { data: file, isPending, error, refetch } = useQuery(useTRPC().files.get.queryOptions({ fileId }));
  return (
    <>
      <SiteHeader />
      <main className="page">
        {file ? (
          <>
            <PageHeader title={file.name} description={file.url === null && "This file is being checked."}>
              {file.downloadUrl && (
                <a href={file.downloadUrl} download className="button button-quiet max-sm:px-3.5">
                  <Download aria-hidden="true" className="size-4" />
                  <span className="max-sm:sr-only">Download</span>
                </a>
              )}
              <UploadButton
                multiple={false}
                generateUploadUrl={() => client.files.generateUploadUrl.mutate({})}
                onUploaded={({ storageId }) => client.files.replace.mutate({ fileId, storageId })}
              >
                New version
              </UploadButton>
            </PageHeader>
            <dl className="card grid grid-cols-[auto_1fr] gap-x-6 gap-y-2 text-sm [&>dt]:text-muted">
              <dt>Size</dt>
              <dd>{formatBytes(file.size)}</dd>
              <dt>Type</dt>
              <dd className="wrap-anywhere">{file.contentType ?? "Unknown"}</dd>
              <dt>Added</dt>
              <dd>
                <Timestamp at={file._creationTime} />
              </dd>
            </dl>
          </>
        ) : error ? (
          <Failed title="The file could not be loaded" error={error} onRetry={() => void refetch()} />
        ) : isPending ? (
          <Loading>Loading the file…</Loading>
        ) : (
          <Empty icon={FileX2} title="This file has been deleted">
            Your other files are still there.
          </Empty>
        )}
      </main>
    </>
  );
}
