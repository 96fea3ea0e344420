-- PostgreSQL takes one lock for the commits of all transactions that notify, so that commits waited for one another. A
-- transaction now only notes which tables it changed, in a row of its own. Processes announce afterwards that there is
-- something to read, and read what has become visible since they last looked.

DROP INDEX "_changes_at_idx";
ALTER TABLE "_changes" DROP COLUMN "at";
DELETE FROM "_changes";
DROP SEQUENCE "_changes_read_until";

-- Notes of transactions below this number may be gone. A sequence, because setting it is seen at once.
CREATE SEQUENCE "_changes_pruned" MINVALUE 0;

-- They run with the rights of their owner for every role that writes a table of the app's. So that no table of such a role
-- can stand in for "_changes", they name the schema.
DO $do$
BEGIN
  EXECUTE format($sql$
    CREATE OR REPLACE FUNCTION "announce_change"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      INSERT INTO %1$I."_changes" ("transaction", "table")
      SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8, TG_TABLE_NAME WHERE EXISTS (SELECT FROM changed)
      ON CONFLICT DO NOTHING;
      RETURN NULL;
    END $$
  $sql$, current_schema());
  EXECUTE format($sql$
    CREATE OR REPLACE FUNCTION "announce_truncate"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      INSERT INTO %1$I."_changes" ("transaction", "table")
      VALUES (pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8, TG_TABLE_NAME)
      ON CONFLICT DO NOTHING;
      RETURN NULL;
    END $$
  $sql$, current_schema());
END $do$;

DROP FUNCTION "announce"(TEXT);

-- Removes the notes that a process saw in this snapshot. A restored dump brings notes and numbers of another server, which may
-- be higher than this server's: those go too.
CREATE FUNCTION "prune_changes"(seen pg_snapshot) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  seen_before BIGINT := pg_snapshot_xmax(seen)::text::bigint;
  next_transaction BIGINT := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
  pruned BIGINT := (SELECT last_value FROM "_changes_pruned");
BEGIN
  IF seen_before > next_transaction OR NOT pg_try_advisory_xact_lock('"_changes"'::regclass::oid::bigint) THEN
    RETURN;
  END IF;
  PERFORM setval('"_changes_pruned"', CASE WHEN pruned > next_transaction THEN seen_before ELSE greatest(pruned, seen_before) END);
  DELETE FROM "_changes" WHERE "transaction" < seen_before AND pg_visible_in_snapshot("transaction"::text::xid8, seen);
  DELETE FROM "_changes" WHERE "transaction" >= next_transaction;
END $$;
