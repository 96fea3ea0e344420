-- What an image looks like. Null before it was looked at.
ALTER TABLE "_storage" ADD COLUMN "image" JSONB;

CREATE INDEX "_storage_undescribed" ON "_storage"("_creationTime") WHERE "image" IS NULL AND "contentType" LIKE 'image/%';
