-- The permission to write "_storage" is for one statement: it ends with it, whether or not a row was written.
CREATE FUNCTION "end_system_write"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM set_config('storage.row', '', true);
  RETURN NULL;
END $$;

CREATE TRIGGER "zz_end_system_write" AFTER INSERT OR UPDATE OR DELETE ON "_storage"
  FOR EACH STATEMENT EXECUTE FUNCTION "end_system_write"();

-- The kit writes these tables outside of mutations only: what a mutation writes to them comes from a function, by a
-- relation or by SQL. `storage.guard` is on in mutations.
CREATE FUNCTION "refuse_in_mutation"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF current_setting('storage.guard', true) = 'on' THEN
    RAISE EXCEPTION 'System tables (prefixed with "_") are read-only; a function cannot write %', TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$;

DO $$
DECLARE
  kept TEXT;
BEGIN
  FOREACH kept IN ARRAY ARRAY['_users', '_sessions', '_accounts', '_verifications', '_jwks', '_system_state', '_rate_limits', '_calls', '_call_counts'] LOOP
    EXECUTE format('CREATE TRIGGER "refuse_in_mutation" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION "refuse_in_mutation"()', kept);
  END LOOP;
END $$;

-- A mutation may refer to a file that it claimed (`storage.claimed` lists these), that code called shared, or that the row
-- had before. Looked at when it commits, so that the order of claim and write does not matter.
CREATE FUNCTION "guard_file"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  file TEXT := to_jsonb(NEW) ->> TG_ARGV[0];
  still BOOLEAN;
BEGIN
  IF position(file IN coalesce(current_setting('storage.claimed', true), '')) > 0 THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND EXISTS (SELECT FROM jsonb_each_text(to_jsonb(OLD)) AS had WHERE had.value = file) THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I = $1::uuid)', TG_RELID::regclass, TG_ARGV[0]) INTO still USING file;
  IF still THEN
    RAISE EXCEPTION '%.% was set to file %, which this mutation did not claim: it may be somebody else''s. Call ctx.storage.claim(id) for an upload of the caller''s, or ctx.storage.reuse(id) for a file that several may have',
      TG_TABLE_NAME, TG_ARGV[0], file USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;

-- Gives every column with a foreign key to "_storage" that guard, unless it has it.
CREATE FUNCTION "guard_files"() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  reference RECORD;
BEGIN
  FOR reference IN
    SELECT conrelid::regclass AS referring, attname, 'guard_file_' || attnum AS name
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] JOIN pg_class ON pg_class.oid = conrelid
    WHERE contype = 'f' AND confrelid = '"_storage"'::regclass AND cardinality(conkey) = 1 AND relkind = 'r'
      AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = conrelid AND tgname = 'guard_file_' || attnum)
  LOOP
    EXECUTE format(
      'CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW '
      'WHEN (NEW.%I IS NOT NULL AND current_setting(''storage.guard'', true) = ''on'') EXECUTE FUNCTION "guard_file"(%L)',
      reference.name, reference.referring, reference.attname, reference.attname);
  END LOOP;
END $$;

-- Gives a table the triggers that announce its changes.
CREATE FUNCTION "watch_table"(watched regclass) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  EXECUTE format('DROP TRIGGER IF EXISTS "announce_insert" ON %s', watched);
  EXECUTE format('DROP TRIGGER IF EXISTS "announce_update" ON %s', watched);
  EXECUTE format('DROP TRIGGER IF EXISTS "announce_delete" ON %s', watched);
  EXECUTE format('DROP TRIGGER IF EXISTS "announce_truncate" ON %s', watched);
  EXECUTE format('CREATE TRIGGER "announce_insert" AFTER INSERT ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
  EXECUTE format('CREATE TRIGGER "announce_update" AFTER UPDATE ON %s REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
  EXECUTE format('CREATE TRIGGER "announce_delete" AFTER DELETE ON %s REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "announce_change"()', watched);
  EXECUTE format('CREATE TRIGGER "announce_truncate" AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION "announce_truncate"()', watched);
END $$;

-- Whether it has them. Those that are switched off, as a restore may leave them, count as missing.
CREATE FUNCTION "is_watched"(relation regclass) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT count(*) = 4 FROM pg_trigger WHERE tgrelid = relation AND tgenabled IN ('O', 'A')
    AND tgname IN ('announce_insert', 'announce_update', 'announce_delete', 'announce_truncate')
$$;

-- Tables of the app's schema that should announce their changes and do not.
CREATE FUNCTION "unwatched_tables"() RETURNS SETOF regclass LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT pg_class.oid::regclass FROM pg_class
  WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND relname <> '_prisma_migrations'
    AND obj_description(pg_class.oid, 'pg_class') IS DISTINCT FROM 'silent' AND NOT "is_watched"(pg_class.oid)
$$;

-- As before, and with the guard of files: whatever gives tables the one gives them the other.
CREATE OR REPLACE FUNCTION "watch_tables"() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM "watch_table"(missing) FROM "unwatched_tables"() AS missing;
  PERFORM "guard_files"();
END $$;

SELECT "watch_tables"();
