-- Images of other sizes and formats, made of a file when they were first asked for.
CREATE TABLE "_storage_variants" (
  "fileId" UUID NOT NULL,
  "width" INTEGER NOT NULL,
  "shape" TEXT NOT NULL,
  "format" TEXT NOT NULL,
  "creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "blobKey" TEXT NOT NULL,
  "result" TEXT,
  "sha256" CHAR(64),
  "size" BIGINT,
  "contentType" TEXT,
  "leaseUntil" TIMESTAMPTZ(3),

  CONSTRAINT "_storage_variants_pkey" PRIMARY KEY ("fileId", "width", "shape", "format"),
  CONSTRAINT "_storage_variants_fileId_fkey" FOREIGN KEY ("fileId") REFERENCES "_storage"("_id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE UNIQUE INDEX "_storage_variants_blobKey_key" ON "_storage_variants"("blobKey");

COMMENT ON TABLE "_storage_variants" IS 'silent';

-- Whatever deletes a row, with its file or without: its blob is listed in the same statement. While an image is being made its
-- blob is listed already, and must stay until the writing has ended.
CREATE FUNCTION "list_variants"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO "_unowned_blobs" ("blobKey", "deleteAfter", "condemned")
  SELECT "blobKey", now(), true FROM gone WHERE "result" = 'made';
  RETURN NULL;
END $$;

CREATE TRIGGER "list_variants" AFTER DELETE ON "_storage_variants" REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION "list_variants"();

-- Functions may delete files, and so their images, but write nothing here.
CREATE TRIGGER "refuse_in_mutation" BEFORE INSERT OR UPDATE OR TRUNCATE ON "_storage_variants"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_in_mutation"();
