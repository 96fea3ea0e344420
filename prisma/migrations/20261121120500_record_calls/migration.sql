-- CreateTable
CREATE TABLE "_calls" (
    "_id" UUID NOT NULL,
    "time" TIMESTAMPTZ(3) NOT NULL,
    "requestId" TEXT NOT NULL,
    "function" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "depth" SMALLINT NOT NULL,
    "outcome" TEXT NOT NULL,
    "duration" DOUBLE PRECISION NOT NULL,
    "lines" JSONB,
    "error" TEXT,

    CONSTRAINT "_calls_pkey" PRIMARY KEY ("_id")
);

-- CreateTable
CREATE TABLE "_call_counts" (
    "function" TEXT NOT NULL,
    "minute" TIMESTAMPTZ(0) NOT NULL,
    "duration" SMALLINT NOT NULL,
    "calls" INTEGER NOT NULL,
    "errors" INTEGER NOT NULL,

    CONSTRAINT "_call_counts_pkey" PRIMARY KEY ("function","minute","duration")
);

-- CreateIndex
CREATE INDEX "_calls_function__id_idx" ON "_calls"("function", "_id");

-- CreateIndex
CREATE INDEX "_calls_requestId__id_idx" ON "_calls"("requestId", "_id");

-- CreateIndex
CREATE INDEX "_call_counts_minute_idx" ON "_call_counts"("minute");

-- What the log is searched for is rare in it: Prisma's schema has no word for indexes of some rows only.
CREATE INDEX "_calls_failed_idx" ON "_calls"("_id") WHERE "outcome" <> 'ok';
CREATE INDEX "_calls_text_idx" ON "_calls"("_id") WHERE "lines" IS NOT NULL OR "error" IS NOT NULL;

-- The log is written a moment after every call, and would wake every live query.
COMMENT ON TABLE "_calls" IS 'silent';
COMMENT ON TABLE "_call_counts" IS 'silent';
