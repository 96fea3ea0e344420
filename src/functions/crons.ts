import { cronJobs } from "~/server/scheduler/crons";
import { upkeep } from "~/server/upkeep";

/** Functions that run again and again. */
const crons = cronJobs();

crons.interval("upkeep", { hours: 1 }, upkeep);

export default crons;
