-- A file that is held is not served until a function releases it. The type by the first bytes is beside the announced one.
ALTER TABLE "_storage" ADD COLUMN "held" BOOLEAN NOT NULL DEFAULT false, ADD COLUMN "detectedType" TEXT;
