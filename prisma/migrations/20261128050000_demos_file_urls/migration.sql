-- A file of the demo that came from a URL keeps it.
ALTER TABLE "files" ADD COLUMN "originalUrl" TEXT;
