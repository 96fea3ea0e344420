-- For the dashboard: users with an account, or without, the newest first; and users by the beginning of their address. As before,
-- and with these indexes.
CREATE OR REPLACE FUNCTION "mend_indexes"() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  CREATE INDEX IF NOT EXISTS "_storage_kind_creationTime__id_idx" ON "_storage"(split_part(lower("contentType"), '/', 1), "_creationTime", "_id");
  CREATE INDEX IF NOT EXISTS "_storage_kind_size__id_idx" ON "_storage"(split_part(lower("contentType"), '/', 1), "size", "_id");
  CREATE INDEX IF NOT EXISTS "_calls_failed_idx" ON "_calls"("_id") WHERE "outcome" <> 'ok';
  CREATE INDEX IF NOT EXISTS "_calls_text_idx" ON "_calls"("_id") WHERE "lines" IS NOT NULL OR "error" IS NOT NULL;
  CREATE UNIQUE INDEX IF NOT EXISTS "_scheduled_functions_running_cron_key" ON "_scheduled_functions"("cron") WHERE "state" = 'inProgress';
  CREATE INDEX IF NOT EXISTS "_users_newest" ON "_users"((("isAnonymous" IS TRUE)::int), "createdAt", "_id");
  CREATE INDEX IF NOT EXISTS "_users_lower_email" ON "_users"(lower("email") text_pattern_ops);
END $$;

SELECT "mend_indexes"();
