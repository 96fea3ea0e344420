-- A table can say by the values of one column which of its rows changed, before and after: see `liveBy` of createKit. A note in
-- "_changes" is then the table's name, a colon and a hash of the value; nothing follows the colon where the value is NULL. A
-- statement that changes rows of many values notes the table alone, as of any row.

-- It runs with the rights of its owner for every role that writes the table. So that no table of such a role can stand in for
-- "_changes", it names the schema.
DO $do$
BEGIN
  EXECUTE format($sql$
    CREATE FUNCTION "announce_values"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
      rows_changed pg_catalog.text := 'SELECT %%1$I::pg_catalog.text AS value FROM changed';
      changed_values pg_catalog.text[];
    BEGIN
      IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
        rows_changed := pg_catalog.concat(rows_changed, ' UNION SELECT %%1$I::pg_catalog.text FROM previous');
      END IF;
      EXECUTE pg_catalog.format(pg_catalog.concat(
        'SELECT pg_catalog.array_agg(value) FROM (SELECT DISTINCT value FROM (', rows_changed, ') AS each LIMIT 101) AS few'),
        TG_ARGV[0]) INTO changed_values;
      INSERT INTO %1$I."_changes" ("transaction", "table")
      SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8, pg_catalog.concat(TG_TABLE_NAME, ':',
        pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(value, 'UTF8')), 'base64'))
      FROM pg_catalog.unnest(changed_values) AS value
      WHERE pg_catalog.cardinality(changed_values) OPERATOR(pg_catalog.<=) 100
      UNION SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8, TG_TABLE_NAME::pg_catalog.text
      WHERE pg_catalog.cardinality(changed_values) OPERATOR(pg_catalog.>) 100
      ON CONFLICT DO NOTHING;
      RETURN NULL;
    END $$
  $sql$, current_schema());
END $do$;

-- Has a table name the values of this column with its changes, or of no column when it is NULL.
CREATE FUNCTION "watch_values"(watched regclass, watched_column text) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM "watch_table"(watched);
  IF watched_column IS NULL THEN
    RETURN;
  END IF;
  -- Of these types equal values have equal texts.
  IF NOT EXISTS (
    SELECT FROM pg_attribute LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    WHERE attrelid = watched AND attname = watched_column AND coalesce(collisdeterministic, true)
      AND atttypid IN ('text'::regtype, 'varchar'::regtype, 'uuid'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype)
  ) THEN
    RAISE EXCEPTION 'liveBy: % has no column "%" that is a text, a UUID or an integer', watched, watched_column
      USING ERRCODE = 'invalid_column_reference';
  END IF;
  EXECUTE format('CREATE OR REPLACE TRIGGER "announce_insert" AFTER INSERT ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_values"(%L)', watched, watched_column);
  EXECUTE format('CREATE OR REPLACE TRIGGER "announce_update" AFTER UPDATE ON %s REFERENCING OLD TABLE AS previous NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_values"(%L)', watched, watched_column);
  EXECUTE format('CREATE OR REPLACE TRIGGER "announce_delete" AFTER DELETE ON %s REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_values"(%L)', watched, watched_column);
END $$;

-- The column whose values a table names with its changes, or NULL.
CREATE FUNCTION "watched_column"(relation regclass) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT convert_from(substring(tgargs FOR length(tgargs) - 1), 'UTF8') FROM pg_trigger
  WHERE tgrelid = relation AND tgname = 'announce_update' AND tgnargs = 1
$$;
