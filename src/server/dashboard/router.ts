import type { HttpRouter } from "../http/http-router";
import type { CronJobs } from "../scheduler/crons";
import { t } from "../trpc";
import { calls } from "./calls";
import { files } from "./files";
import { functions } from "./functions";
import { schedule } from "./schedule";

/** What an app has beside its functions. */
export interface App {
  http: HttpRouter;
  crons: CronJobs;
}

/** What the dashboard calls, as `dashboard.*`: for administrators alone. */
export const createDashboard = ({ http, crons }: App) =>
  t.router({ files, functions: functions(http), schedule: schedule(crons), calls });
