-- Uploads that arrive in several requests, as long as they are not complete.
CREATE TABLE "_unfinished_uploads" (
  "_id" UUID NOT NULL,
  "blobKey" TEXT NOT NULL,
  "owner" TEXT,
  "size" BIGINT NOT NULL,
  "contentType" TEXT,
  "sha256" TEXT[],
  "metadata" TEXT,
  "progress" JSONB NOT NULL,
  "expiresAt" TIMESTAMPTZ(3) NOT NULL,
  "usedUntil" TIMESTAMPTZ(3) NOT NULL,
  "writer" UUID,
  "writerUntil" TIMESTAMPTZ(3),
  "wanted" BOOLEAN NOT NULL DEFAULT false,

  CONSTRAINT "_unfinished_uploads_pkey" PRIMARY KEY ("_id")
);

CREATE INDEX "_unfinished_uploads_owner_idx" ON "_unfinished_uploads"("owner");
CREATE INDEX "_unfinished_uploads_expiresAt_idx" ON "_unfinished_uploads"("expiresAt");

COMMENT ON TABLE "_unfinished_uploads" IS 'silent';
