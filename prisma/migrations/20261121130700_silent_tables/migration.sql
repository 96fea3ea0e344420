-- Which tables announce nothing is said of each table, by its comment, so that a new one says it where it is created.
COMMENT ON TABLE "_unowned_blobs" IS 'silent';
COMMENT ON TABLE "_spent_uploads" IS 'silent';
COMMENT ON TABLE "_ended_jobs" IS 'silent';
COMMENT ON TABLE "_system_state" IS 'silent';
COMMENT ON TABLE "_rate_limits" IS 'silent';
COMMENT ON TABLE "_sessions" IS 'silent';
COMMENT ON TABLE "_accounts" IS 'silent';
COMMENT ON TABLE "_verifications" IS 'silent';
COMMENT ON TABLE "_jwks" IS 'silent';
COMMENT ON TABLE "_changes" IS 'silent';
COMMENT ON TABLE "_calls" IS 'silent';
COMMENT ON TABLE "_call_counts" IS 'silent';
COMMENT ON TABLE "_storage_totals" IS 'silent';

-- It may have them by now.
DROP TRIGGER IF EXISTS "announce_insert" ON "_storage_totals";
DROP TRIGGER IF EXISTS "announce_update" ON "_storage_totals";
DROP TRIGGER IF EXISTS "announce_delete" ON "_storage_totals";
DROP TRIGGER IF EXISTS "announce_truncate" ON "_storage_totals";

CREATE OR REPLACE FUNCTION "watch_tables"() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  watched regclass;
BEGIN
  FOR watched IN
    SELECT oid FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND relname <> '_prisma_migrations'
      AND obj_description(oid, 'pg_class') IS DISTINCT FROM 'silent'
      AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'announce_insert')
  LOOP
    EXECUTE format('CREATE TRIGGER "announce_insert" AFTER INSERT ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_update" AFTER UPDATE ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_delete" AFTER DELETE ON %s REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_truncate" AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION "announce_truncate"()', watched);
  END LOOP;
END $$;
