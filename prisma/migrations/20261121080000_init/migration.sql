-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "ScheduledState" AS ENUM ('pending', 'inProgress', 'success', 'failed', 'canceled');

-- CreateEnum
CREATE TYPE "MessageFormat" AS ENUM ('text', 'image');

-- CreateTable
CREATE TABLE "_storage" (
    "_id" UUID NOT NULL,
    "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "sha256" CHAR(64) NOT NULL,
    "size" BIGINT NOT NULL,
    "contentType" TEXT,
    "blobKey" TEXT NOT NULL,

    CONSTRAINT "_storage_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_unowned_blobs" (
    "blobKey" TEXT NOT NULL,
    "deleteAfter" TIMESTAMPTZ(3) NOT NULL,
    "condemned" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "_unowned_blobs_pkey" PRIMARY KEY ("blobKey")
);

-- CreateTable
CREATE TABLE "_spent_uploads" (
    "_id" UUID NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "_spent_uploads_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_scheduled_functions" (
    "_id" UUID NOT NULL,
    "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "name" TEXT NOT NULL,
    "args" JSONB NOT NULL,
    "scheduledTime" TIMESTAMPTZ(3) NOT NULL,
    "completedTime" TIMESTAMPTZ(3),
    "state" "ScheduledState" NOT NULL DEFAULT 'pending',
    "error" TEXT,
    "leaseUntil" TIMESTAMPTZ(3),
    "parentId" UUID,
    "cron" TEXT,

    CONSTRAINT "_scheduled_functions_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_ended_jobs" (
    "_id" UUID NOT NULL,

    CONSTRAINT "_ended_jobs_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_system_state" (
    "key" TEXT NOT NULL,
    "value" JSONB NOT NULL,

    CONSTRAINT "_system_state_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "messages" (
    "_id" UUID NOT NULL,
    "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "author" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "format" "MessageFormat" NOT NULL,
    "storageId" UUID,

    CONSTRAINT "messages_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "files" (
    "_id" UUID NOT NULL,
    "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "name" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "contentType" TEXT,
    "storageId" UUID NOT NULL,

    CONSTRAINT "files_pkey" PRIMARY KEY ("_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "_storage_blobKey_key" ON "_storage"("blobKey");

-- CreateIndex
CREATE INDEX "_storage__creationTime__id_idx" ON "_storage"("_creationTime", "_id");

-- CreateIndex
CREATE INDEX "_unowned_blobs_deleteAfter_idx" ON "_unowned_blobs"("deleteAfter");

-- CreateIndex
CREATE INDEX "_spent_uploads_expiresAt_idx" ON "_spent_uploads"("expiresAt");

-- CreateIndex
CREATE INDEX "_scheduled_functions_state_scheduledTime_idx" ON "_scheduled_functions"("state", "scheduledTime");

-- CreateIndex
CREATE INDEX "_scheduled_functions_completedTime_idx" ON "_scheduled_functions"("completedTime");

-- CreateIndex
CREATE INDEX "_scheduled_functions__creationTime__id_idx" ON "_scheduled_functions"("_creationTime", "_id");

-- CreateIndex
CREATE UNIQUE INDEX "_scheduled_functions_cron_scheduledTime_key" ON "_scheduled_functions"("cron", "scheduledTime");

-- CreateIndex
CREATE INDEX "messages_storageId_idx" ON "messages"("storageId");

-- CreateIndex
CREATE INDEX "messages_author__id_idx" ON "messages"("author", "_id");

-- CreateIndex
CREATE UNIQUE INDEX "files_storageId_key" ON "files"("storageId");

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE CASCADE ON UPDATE CASCADE;
