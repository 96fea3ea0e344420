import { t } from "../functions/trpc";
import type { HttpRouter } from "../http/http-router";
import type { CronJobs } from "../jobs/crons";
import { calls } from "./calls";
import { files } from "./files";
import { functions } from "./functions";
import { schedule } from "./schedule";

/** What it shows of an app beside its functions. */
export interface Shown {
  http: HttpRouter;
  crons: CronJobs;
}

/** What the dashboard calls, as `dashboard.*`: for administrators alone. */
export const createDashboard = ({ http, crons }: Shown) =>
  t.router({ files, functions: functions(http), schedule: schedule(crons), calls });
