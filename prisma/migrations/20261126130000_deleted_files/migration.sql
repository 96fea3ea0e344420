-- The bytes of a deleted file are kept for a while, and with them its row as it was, so that it can be restored.
ALTER TABLE "_storage" ADD COLUMN "restoredAt" TIMESTAMPTZ(3);

ALTER TABLE "_unowned_blobs"
  ADD COLUMN "fileId" UUID,
  ADD COLUMN "owner" TEXT,
  ADD COLUMN "size" BIGINT,
  ADD COLUMN "deletedAt" TIMESTAMPTZ(3),
  ADD COLUMN "file" JSONB;

CREATE UNIQUE INDEX "_unowned_blobs_fileId_key" ON "_unowned_blobs"("fileId");
CREATE INDEX "_unowned_blobs_owner_deletedAt_idx" ON "_unowned_blobs"("owner", "deletedAt");
