-- Closes what has no policies, too. A view reads its tables with the rights of who asks, unless its definition says
-- `security_invoker`. Materialized views, foreign tables, sequences, and other views lose the rights that default privileges
-- of the schema gave; a role that default privileges do not name keeps what it was granted. Policies do not cover TRUNCATE,
-- TRIGGER and REFERENCES, so tables lose those. Roles that pass row-level security keep everything.
-- Without the role of the app (NULL), only PUBLIC and the roles of Supabase's public keys lose rights: another may be the app's.
CREATE OR REPLACE FUNCTION "close_tables"(app name) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  version int := current_setting('server_version_num')::int;
  role_of_app name := coalesce(app, current_user);
  apps oid[] := ARRAY(
    SELECT oid FROM pg_roles WHERE rolname = role_of_app
    UNION SELECT unnest(polroles) FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
    WHERE polname = 'app' AND relnamespace = current_schema()::regnamespace
  );
  strangers name[] := ARRAY(
    SELECT rolname FROM pg_roles
    WHERE NOT rolsuper AND NOT rolbypassrls AND pg_roles.oid <> ALL (apps) AND (
      rolname IN ('anon', 'authenticated') OR app IS NOT NULL AND pg_roles.oid IN (
        SELECT grantee FROM pg_default_acl, aclexplode(defaclacl)
        WHERE defaclnamespace IN (0, current_schema()::regnamespace)
      )
      -- An app that does not own the tables may have its rights from a group.
      AND NOT EXISTS (
        SELECT FROM unnest(apps) AS each
        WHERE NOT pg_has_role(each, current_user, 'USAGE') AND pg_has_role(each, pg_roles.oid, 'USAGE')
      )
    )
  );
  relation record;
  opened record;
  closed_to text;
  public_keys text;
BEGIN
  FOR relation IN
    SELECT pg_class.oid::regclass AS id, pg_class.oid, relkind, relowner, relrowsecurity,
      (SELECT option_value::boolean FROM pg_options_to_table(reloptions) WHERE option_name = 'security_invoker') AS invoker
    FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relnamespace = current_schema()::regnamespace
      AND pg_has_role(relowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
  LOOP
    IF relation.relkind IN ('r', 'p') THEN
      IF NOT relation.relrowsecurity THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation.id);
      END IF;
      IF NOT pg_has_role(role_of_app, relation.relowner, 'USAGE') THEN
        IF EXISTS (SELECT FROM pg_policy WHERE polrelid = relation.oid AND polname = 'app') THEN
          EXECUTE format('ALTER POLICY "app" ON %s TO %I', relation.id, role_of_app);
        ELSE
          EXECUTE format('CREATE POLICY "app" ON %s TO %I USING (true) WITH CHECK (true)', relation.id, role_of_app);
        END IF;
      END IF;
    ELSIF relation.relkind = 'v' AND relation.invoker IS NULL AND version >= 150000 THEN
      EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', relation.id);
      relation.invoker := true;
    END IF;

    SELECT string_agg(quote_ident(role), ', '),
      concat_ws(', ', 'PUBLIC', string_agg(quote_ident(role), ', ') FILTER (WHERE role IN ('anon', 'authenticated')))
    INTO closed_to, public_keys FROM unnest(strangers) AS role WHERE role <> pg_get_userbyid(relation.relowner);
    IF relation.relkind IN ('r', 'p') OR relation.invoker THEN
      EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', relation.id, public_keys);
      IF closed_to IS NOT NULL THEN
        EXECUTE format('REVOKE TRUNCATE, TRIGGER, REFERENCES%s ON TABLE %s FROM %s',
          CASE WHEN version >= 170000 THEN ', MAINTAIN' END, relation.id, closed_to);
      END IF;
    ELSE
      EXECUTE format('REVOKE ALL ON %s %s FROM %s', CASE relation.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        relation.id, concat_ws(', ', 'PUBLIC', closed_to));
    END IF;
  END LOOP;

  -- With a trigger on a table of its own, a role could have these run code of its choice with the rights of their owner.
  -- Triggers that exist need no right to run them.
  FOR opened IN
    SELECT pg_proc.oid::regprocedure AS id, proowner FROM pg_proc
    WHERE prosecdef AND prorettype = 'trigger'::regtype AND pronamespace = current_schema()::regnamespace
      AND pg_has_role(proowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
  LOOP
    SELECT concat_ws(', ', 'PUBLIC', string_agg(quote_ident(role), ', ')) INTO closed_to
    FROM unnest(strangers) AS role WHERE role <> pg_get_userbyid(opened.proowner);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', opened.id, closed_to);
  END LOOP;
END $$;

SELECT "close_tables"(NULL);
