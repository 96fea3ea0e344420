-- A job that could not run is tried again later and later; an action says who took it; a recurring action runs once at a time.
ALTER TABLE "_scheduled_functions"
  ADD COLUMN "attempts" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "retryAt" TIMESTAMPTZ(3),
  ADD COLUMN "takenBy" UUID;

-- Whatever ran beside itself when this was applied, only one of it goes on being looked at.
UPDATE "_scheduled_functions" AS job SET "cron" = NULL
WHERE "cron" IS NOT NULL AND "state" = 'inProgress' AND EXISTS (
  SELECT FROM "_scheduled_functions" AS other
  WHERE other."cron" = job."cron" AND other."state" = 'inProgress' AND other."_id" > job."_id"
);

CREATE UNIQUE INDEX "_scheduled_functions_running_cron_key" ON "_scheduled_functions"("cron") WHERE "state" = 'inProgress';
