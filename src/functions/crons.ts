import { cronJobs, upkeep } from "~/kit/server";

/** Recurring functions. */
const crons = cronJobs();

crons.interval("upkeep", { hours: 1 }, upkeep);

export default crons;
