-- Replaces the app's tables by those of the kit's tests, which app.prisma beside this describes.
DO $$
DECLARE
  app_table regclass;
BEGIN
  FOR app_table IN
    SELECT oid FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND NOT starts_with(relname, '_')
  LOOP
    EXECUTE format('DROP TABLE %s CASCADE', app_table);
  END LOOP;
END $$;
DROP TYPE IF EXISTS "MessageFormat" CASCADE;

CREATE TYPE "MessageFormat" AS ENUM ('text', 'image');

CREATE TABLE "messages" (
  "_id" UUID PRIMARY KEY,
  "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "author" TEXT NOT NULL,
  "owner" TEXT,
  "body" TEXT NOT NULL,
  "format" "MessageFormat" NOT NULL,
  "storageId" UUID
);

CREATE TABLE "files" (
  "_id" UUID PRIMARY KEY,
  "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "name" TEXT NOT NULL,
  "size" BIGINT NOT NULL,
  "contentType" TEXT,
  "owner" TEXT,
  "storageId" UUID NOT NULL
);

CREATE TABLE "images" (
  "_id" UUID PRIMARY KEY,
  "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "title" TEXT NOT NULL,
  "description" TEXT,
  "uploadedBy" TEXT NOT NULL,
  "originalUrl" TEXT,
  "contentType" TEXT NOT NULL,
  "size" BIGINT NOT NULL,
  "storageId" UUID NOT NULL,
  "thumbnailId" UUID
);

CREATE TABLE "orders" (
  "_id" UUID PRIMARY KEY,
  "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "item" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "paymentId" TEXT
);

CREATE INDEX "messages_storageId_idx" ON "messages"("storageId");
CREATE INDEX "messages_author__id_idx" ON "messages"("author", "_id");
CREATE INDEX "messages_owner_idx" ON "messages"("owner");
CREATE UNIQUE INDEX "files_storageId_key" ON "files"("storageId");
CREATE INDEX "files_owner__id_idx" ON "files"("owner", "_id");
CREATE UNIQUE INDEX "images_storageId_key" ON "images"("storageId");
CREATE UNIQUE INDEX "images_thumbnailId_key" ON "images"("thumbnailId");
CREATE INDEX "images_uploadedBy__id_idx" ON "images"("uploadedBy", "_id");
ALTER TABLE "messages" ADD CONSTRAINT "messages_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "files" ADD CONSTRAINT "files_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "images" ADD CONSTRAINT "images_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "images" ADD CONSTRAINT "images_thumbnailId_fkey" FOREIGN KEY ("thumbnailId") REFERENCES "_storage"("_id") ON DELETE SET NULL ON UPDATE CASCADE;

SELECT "watch_tables"();
SELECT "close_tables"(current_user);
