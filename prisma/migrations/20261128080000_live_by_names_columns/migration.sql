-- A note of changed rows also names the column that its value is of: `files:owner:<hash>`. So a process that knows
-- another `liveBy` sees that it cannot tell whose rows these are.

DO $do$
BEGIN
  EXECUTE format($sql$
    CREATE OR REPLACE FUNCTION "announce_values"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
      SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8, pg_catalog.concat(TG_TABLE_NAME, ':', TG_ARGV[0], ':',
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
