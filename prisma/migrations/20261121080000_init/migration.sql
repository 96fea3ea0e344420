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
    "owner" TEXT,
    "claimed" BOOLEAN NOT NULL DEFAULT false,

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
CREATE TABLE "_users" (
    "_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "emailVerified" BOOLEAN NOT NULL DEFAULT false,
    "image" TEXT,
    "isAnonymous" BOOLEAN,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "_users_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_sessions" (
    "_id" TEXT NOT NULL,
    "token" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "ipAddress" TEXT,
    "userAgent" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,
    "userId" TEXT NOT NULL,

    CONSTRAINT "_sessions_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_accounts" (
    "_id" TEXT NOT NULL,
    "accountId" TEXT NOT NULL,
    "providerId" TEXT NOT NULL,
    "accessToken" TEXT,
    "refreshToken" TEXT,
    "idToken" TEXT,
    "accessTokenExpiresAt" TIMESTAMPTZ(3),
    "refreshTokenExpiresAt" TIMESTAMPTZ(3),
    "scope" TEXT,
    "password" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,
    "userId" TEXT NOT NULL,

    CONSTRAINT "_accounts_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_verifications" (
    "_id" TEXT NOT NULL,
    "identifier" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "expiresAt" TIMESTAMPTZ(3) NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "_verifications_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_jwks" (
    "_id" TEXT NOT NULL,
    "publicKey" TEXT NOT NULL,
    "privateKey" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expiresAt" TIMESTAMPTZ(3),

    CONSTRAINT "_jwks_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_rate_limits" (
    "key" VARCHAR(255) NOT NULL,
    "points" INTEGER NOT NULL DEFAULT 0,
    "expire" BIGINT,

    CONSTRAINT "_rate_limits_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "messages" (
    "_id" UUID NOT NULL,
    "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "author" TEXT NOT NULL,
    "owner" TEXT,
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
    "owner" TEXT,
    "storageId" UUID NOT NULL,

    CONSTRAINT "files_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "images" (
    "_id" UUID NOT NULL,
    "_creationTime" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "title" TEXT NOT NULL,
    "description" TEXT,
    "uploadedBy" TEXT NOT NULL,
    "originalUrl" TEXT,
    "contentType" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "storageId" UUID NOT NULL,
    "thumbnailId" UUID,

    CONSTRAINT "images_pkey" PRIMARY KEY ("_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "_storage_blobKey_key" ON "_storage"("blobKey");

-- CreateIndex
CREATE INDEX "_storage__creationTime__id_idx" ON "_storage"("_creationTime", "_id");

-- CreateIndex
CREATE INDEX "_storage_owner_idx" ON "_storage"("owner");

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
CREATE UNIQUE INDEX "_users_email_key" ON "_users"("email");

-- CreateIndex
CREATE UNIQUE INDEX "_sessions_token_key" ON "_sessions"("token");

-- CreateIndex
CREATE INDEX "_sessions_userId_idx" ON "_sessions"("userId");

-- CreateIndex
CREATE INDEX "_accounts_userId_idx" ON "_accounts"("userId");

-- CreateIndex
CREATE INDEX "_verifications_identifier_idx" ON "_verifications"("identifier");

-- CreateIndex
CREATE INDEX "_rate_limits_expire_idx" ON "_rate_limits"("expire");

-- CreateIndex
CREATE INDEX "messages_storageId_idx" ON "messages"("storageId");

-- CreateIndex
CREATE INDEX "messages_author__id_idx" ON "messages"("author", "_id");

-- CreateIndex
CREATE INDEX "messages_owner_idx" ON "messages"("owner");

-- CreateIndex
CREATE UNIQUE INDEX "files_storageId_key" ON "files"("storageId");

-- CreateIndex
CREATE INDEX "files_owner__id_idx" ON "files"("owner", "_id");

-- CreateIndex
CREATE UNIQUE INDEX "images_storageId_key" ON "images"("storageId");

-- CreateIndex
CREATE UNIQUE INDEX "images_thumbnailId_key" ON "images"("thumbnailId");

-- CreateIndex
CREATE INDEX "images_uploadedBy__id_idx" ON "images"("uploadedBy", "_id");

-- AddForeignKey
ALTER TABLE "_sessions" ADD CONSTRAINT "_sessions_userId_fkey" FOREIGN KEY ("userId") REFERENCES "_users"("_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "_accounts" ADD CONSTRAINT "_accounts_userId_fkey" FOREIGN KEY ("userId") REFERENCES "_users"("_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "images" ADD CONSTRAINT "images_storageId_fkey" FOREIGN KEY ("storageId") REFERENCES "_storage"("_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "images" ADD CONSTRAINT "images_thumbnailId_fkey" FOREIGN KEY ("thumbnailId") REFERENCES "_storage"("_id") ON DELETE SET NULL ON UPDATE CASCADE;
