import { processWide } from "../process/process-wide";

/** By name of a view that queries read: the tables it is made of. Filled at the start, when the database has answered. */
export const viewTables = processWide("tables of views", () => new Map<string, string[]>());
