import { cronJobs, upkeep } from "~/kit/server";

/** Functions that run again and again. */
const crons = cronJobs();

crons.interval("upkeep", { hours: 1 }, upkeep);

export default crons;
