-- Functions that triggers run find their tables in the schema that they were made in, whoever writes the row.
ALTER FUNCTION "refuse_system_write"() SET search_path FROM CURRENT;
ALTER FUNCTION "announce"(TEXT) SET search_path FROM CURRENT;
ALTER FUNCTION "announce_change"() SET search_path FROM CURRENT;
ALTER FUNCTION "announce_truncate"() SET search_path FROM CURRENT;
ALTER FUNCTION "total_files"() SET search_path FROM CURRENT;
ALTER FUNCTION "forget_totals"() SET search_path FROM CURRENT;

-- Closes all tables to every role but their owner's and the app's. Some hosts (Supabase) give each new table of "public" to
-- the role of a public key. A role that is to read a table, for reports say, needs a policy of its own and a grant:
--   CREATE POLICY "reports" ON "messages" FOR SELECT TO reports USING (true);
CREATE FUNCTION "close_tables"(app name) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  open_table record;
  stranger name;
BEGIN
  FOR open_table IN
    SELECT pg_class.oid::regclass AS id, pg_class.oid, relowner, relrowsecurity FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND pg_has_role(relowner, 'USAGE')
  LOOP
    IF NOT open_table.relrowsecurity THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', open_table.id);
    END IF;
    IF NOT pg_has_role(app, open_table.relowner, 'USAGE') THEN
      IF EXISTS (SELECT FROM pg_policy WHERE polrelid = open_table.oid AND polname = 'app') THEN
        EXECUTE format('ALTER POLICY "app" ON %s TO %I', open_table.id, app);
      ELSE
        EXECUTE format('CREATE POLICY "app" ON %s TO %I USING (true) WITH CHECK (true)', open_table.id, app);
      END IF;
    END IF;
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', open_table.id);
    FOR stranger IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
      EXECUTE format('REVOKE ALL ON %s FROM %I', open_table.id, stranger);
    END LOOP;
  END LOOP;
END $$;

SELECT "close_tables"(current_user);
