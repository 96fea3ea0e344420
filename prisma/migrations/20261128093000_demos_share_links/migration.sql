-- Links to files of the demo that can be taken back.
CREATE TABLE "share_links" (
    "_id" UUID NOT NULL,
    "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "token" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "passwordHash" TEXT,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "maxDownloads" INTEGER,
    "downloads" INTEGER NOT NULL DEFAULT 0,
    "fileId" UUID NOT NULL,

    CONSTRAINT "share_links_pkey" PRIMARY KEY ("_id")
);

CREATE UNIQUE INDEX "share_links_token_key" ON "share_links"("token");

CREATE INDEX "share_links_fileId_idx" ON "share_links"("fileId");

ALTER TABLE "share_links" ADD CONSTRAINT "share_links_fileId_fkey" FOREIGN KEY ("fileId") REFERENCES "files"("_id") ON DELETE CASCADE ON UPDATE CASCADE;
