-- Only ctx.storage writes "_storage": its statements name the row that they may write. Everything else is refused, be it
-- a nested write or raw SQL. '*' is for maintenance by hand.
CREATE FUNCTION "refuse_system_write"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('storage.row', true) IN (COALESCE(NEW."_id", OLD."_id")::text, '*') THEN
    RETURN COALESCE(NEW, OLD);
  END IF;
  RAISE EXCEPTION 'System tables (prefixed with "_") are read-only; use ctx.storage';
END $$;

CREATE TRIGGER "refuse_system_write" BEFORE INSERT OR UPDATE OR DELETE ON "_storage"
  FOR EACH ROW EXECUTE FUNCTION "refuse_system_write"();
