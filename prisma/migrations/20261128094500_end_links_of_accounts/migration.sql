-- A link that chooses a password ends when the account's password, address or ways to sign in change, whatever changes them.
CREATE FUNCTION "end_account_links"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM "_verifications" WHERE "value" = (CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END ->> TG_ARGV[0]);
  RETURN NULL;
END $$;

CREATE TRIGGER "end_account_links" AFTER INSERT OR DELETE OR UPDATE OF "password" ON "_accounts"
  FOR EACH ROW EXECUTE FUNCTION "end_account_links"('userId');
CREATE TRIGGER "end_account_links" AFTER DELETE OR UPDATE OF "email", "emailVerified" ON "_users"
  FOR EACH ROW EXECUTE FUNCTION "end_account_links"('_id');
