ALTER TABLE "_unowned_blobs" ADD COLUMN "hashing" JSONB;
