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

-- As before, but for the log of calls: it is written a moment after every call, and would wake every live query.
CREATE OR REPLACE FUNCTION "watch_tables"() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  watched regclass;
BEGIN
  FOR watched IN
    SELECT oid FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
      AND relname NOT IN ('_prisma_migrations', '_unowned_blobs', '_spent_uploads', '_ended_jobs', '_system_state', '_rate_limits',
        '_sessions', '_accounts', '_verifications', '_jwks', '_changes', '_calls', '_call_counts')
      AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'announce_insert')
  LOOP
    EXECUTE format('CREATE TRIGGER "announce_insert" AFTER INSERT ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_update" AFTER UPDATE ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_delete" AFTER DELETE ON %s REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_truncate" AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION "announce_truncate"()', watched);
  END LOOP;
END $$;
