import { Cron } from "croner";
import { v7 } from "uuid";
import { prisma } from "../database/database";
import { DatabaseUnavailable } from "../database/errors";
import { parseArgs } from "../functions/args";
import { type ArgsOf, definition, nameOf, type Schedulable } from "../functions/server-function";
import { transformer } from "../functions/transformer";
import { quote } from "../log/text";

/** A recurring function. */
interface CronJob {
  name: string;
  fn: Schedulable<never>;
  args: unknown;
  /** The schedule as crons.ts has it. */
  schedule: string;
  /** The first time after `now`. */
  next(now: Date): Date;
}

/**
 * Runs of one recurring function never overlap, in all processes together. When several times pass while a run is in
 * progress or cannot begin, only the last of them is made up for, and the others are skipped. A time that passes while no
 * process is up is not made up for.
 */
export interface CronJobs {
  /** Runs the function every so often, at whole multiples since the epoch: `{ hours: 1 }` is on the hour. */
  interval<Args>(name: string, every: Interval, fn: Schedulable<Args>, ...args: ArgsOf<Args>): void;
  /**
   * Runs the function by a cron expression: `"0 4 * * 1"` is Mondays at four in UTC, or in `timeZone`:
   *
   *     crons.cron("report", "30 2 * * *", sendReport, {}, { timeZone: "Europe/Berlin" });
   *
   * When clocks go forward, a fixed time that does not exist runs right after the gap. When they go back, a fixed time that
   * comes twice runs the first time. With `*` or a step in the minutes or hours, the function runs at each time that exists,
   * so not in the gap, and in both of the repeated hours.
   */
  cron<Args>(name: string, expression: string, fn: Schedulable<Args>, ...rest: CronRest<Args>): void;
  readonly jobs: ReadonlyMap<string, CronJob>;
}

interface CronOptions {
  /** A name such as `America/New_York`, from the IANA time zone database. Default: UTC. */
  timeZone?: string;
}

/** Arguments and options. The arguments can be left out when all of them are optional. */
type CronRest<Args> =
  Record<never, never> extends Args ? [args?: Args, options?: CronOptions] : [args: Args, options?: CronOptions];

type Interval = { seconds: number } | { minutes: number } | { hours: number };

/** The recurring functions of an app: `crons.ts` adds to them and exports them. */
export function cronJobs(): CronJobs {
  const jobs = new Map<string, CronJob>();

  const add = (job: CronJob) => {
    if (jobs.has(job.name))
      throw new Error(`There is already a cron job named ${JSON.stringify(job.name)}. Choose another name.`);
    parseArgs(job.fn[definition].args, job.args);
    jobs.set(job.name, job);
  };

  return {
    jobs,
    interval(name, every, fn, ...[args]) {
      const period = milliseconds(every);
      if (!(period >= 1000)) throw new Error(`Cron job ${JSON.stringify(name)} needs an interval of a second or more`);
      const next = (now: Date) => new Date((Math.floor(now.getTime() / period) + 1) * period);
      add({ name, fn, args, schedule: `every ${JSON.stringify(every)}`, next });
    },
    cron(name, expression, fn, ...[args, { timeZone = "UTC" } = {}]) {
      checkTimeZone(name, timeZone);
      const schedule = new Cron(expression, { timezone: timeZone, paused: true, fixedTimeRule: "no-wildcard" });
      const next = (now: Date) => {
        const time = schedule.nextRun(now);
        if (!time) throw new Error(`Cron job ${JSON.stringify(name)} never runs: ${expression}`);
        return time;
      };
      next(new Date());
      add({ name, fn, args, schedule: timeZone === "UTC" ? expression : `${expression} ${timeZone}`, next });
    },
  };
}

function checkTimeZone(name: string, timeZone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw new Error(
      `Cron job ${JSON.stringify(name)} has an unknown time zone ${quote(timeZone)}. Write for example "America/New_York".`,
    );
  }
}

function milliseconds(every: Interval): number {
  if ("seconds" in every) return every.seconds * 1000;
  if ("minutes" in every) return every.minutes * 60_000;
  return every.hours * 3_600_000;
}

let registered: CronJobs = cronJobs();

/** Makes these the recurring functions of the process. */
export function setCrons(crons: CronJobs): void {
  registered = crons;
}

/** Throws when jobs could not find one of the recurring functions by its name. */
export function checkCrons({ jobs }: CronJobs): void {
  const unknown = [...jobs.values()].filter(({ fn }) => nameOf(fn) === null).map(({ name }) => JSON.stringify(name));
  if (unknown.length > 0) {
    throw new Error(
      `src/functions/crons.ts: ${unknown.join(", ")} cannot run, because src/functions/index.ts does not list the file ` +
        "that exports its function. Import that file there and add it to kit.app({ functions: { … } }).",
    );
  }
}

/** The last error of each recurring function that could not be scheduled, so that it is logged once. */
const complaints = new Map<string, string>();

/** The next time of each recurring function that is already scheduled. */
const ensured = new Map<string, Date>();

/**
 * Schedules the next run of every recurring function. There is one row for each function and time, also when several processes
 * do this. A time at which no process was up is not made up for.
 */
export async function ensureCronJobs(): Promise<void> {
  const now = new Date();
  for (const job of registered.jobs.values()) {
    const known = ensured.get(job.name);
    if (known && known > now) continue;
    try {
      ensured.set(job.name, await ensure(job, now));
      complaints.delete(job.name);
    } catch (error) {
      // The other recurring functions do not depend on this one.
      if (error instanceof DatabaseUnavailable) throw error;
      const complaint = String(error);
      if (complaints.get(job.name) !== complaint) {
        console.error(`Cron job ${JSON.stringify(job.name)} cannot be scheduled:`, error);
      }
      complaints.set(job.name, complaint);
    }
  }
}

async function ensure({ name, fn, args, next }: CronJob, now: Date): Promise<Date> {
  const functionName = nameOf(fn);
  if (!functionName) throw new Error("src/functions/index.ts does not list the file that exports its function");
  const time = next(now);
  await prisma.$executeRaw`
    INSERT INTO "_scheduled_functions" ("_id", "name", "args", "scheduledTime", "cron")
    VALUES (${v7()}::uuid, ${functionName}, ${transformer.stringify(args ?? {})}::jsonb, ${time}, ${name})
    ON CONFLICT ("cron", "scheduledTime") DO NOTHING`;
  return time;
}
