-- Every table announces its changes on the channel "changes" when they commit: never before, never when they roll back.
-- A statement that changes no row announces nothing; many of one transaction on one table are one announcement.

-- Where processes cannot listen they read this table instead, which is written only while they do.
CREATE TABLE "_changes" (
  "transaction" BIGINT NOT NULL,
  "table" TEXT NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

  CONSTRAINT "_changes_pkey" PRIMARY KEY ("transaction", "table")
);

CREATE INDEX "_changes_at_idx" ON "_changes"("at");

-- Until when it is read, in seconds since the epoch. A sequence, because transactions see its value as it is now and not
-- as it was when they began, and because reading it makes no serializable transaction conflict.
CREATE SEQUENCE "_changes_read_until" MINVALUE 0;

CREATE FUNCTION "announce"(changed_table TEXT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('changes', changed_table);
  IF (SELECT last_value FROM "_changes_read_until") > extract(epoch FROM clock_timestamp()) THEN
    INSERT INTO "_changes" ("transaction", "table") VALUES (pg_current_xact_id()::text::bigint, changed_table)
    ON CONFLICT DO NOTHING;
  END IF;
END $$;

CREATE FUNCTION "announce_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM changed) THEN
    PERFORM "announce"(TG_TABLE_NAME);
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION "announce_truncate"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM "announce"(TG_TABLE_NAME);
  RETURN NULL;
END $$;

-- Gives every table that has none its triggers. `npm run db:migrate` calls it after each migration, so that a new table
-- announces its changes without asking. The kit's bookkeeping, which no query reads, stays silent.
CREATE FUNCTION "watch_tables"() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  watched regclass;
BEGIN
  FOR watched IN
    SELECT oid FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
      AND relname NOT IN ('_prisma_migrations', '_unowned_blobs', '_spent_uploads', '_ended_jobs', '_system_state', '_rate_limits',
        '_sessions', '_accounts', '_verifications', '_jwks', '_changes')
      AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'announce_insert')
  LOOP
    EXECUTE format('CREATE TRIGGER "announce_insert" AFTER INSERT ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_update" AFTER UPDATE ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_delete" AFTER DELETE ON %s REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
    EXECUTE format('CREATE TRIGGER "announce_truncate" AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION "announce_truncate"()', watched);
  END LOOP;
END $$;

SELECT "watch_tables"();
