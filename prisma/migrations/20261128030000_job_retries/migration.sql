-- A job can be tried again when it fails, tells a mutation how it ended, and can be scheduled by a key.
ALTER TABLE "_scheduled_functions"
  ADD COLUMN "retry" JSONB,
  ADD COLUMN "failures" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "onComplete" TEXT,
  ADD COLUMN "key" TEXT;

CREATE TABLE "_job_keys" (
  "name" TEXT NOT NULL,
  "key" TEXT NOT NULL,
  "jobId" UUID NOT NULL,

  CONSTRAINT "_job_keys_pkey" PRIMARY KEY ("name", "key")
);

CREATE INDEX "_job_keys_jobId_idx" ON "_job_keys"("jobId");

COMMENT ON TABLE "_job_keys" IS 'silent';
