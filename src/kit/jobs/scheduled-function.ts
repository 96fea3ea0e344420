import type { SuperJSONResult } from "superjson";
import type { ScheduledFunction, ScheduledState } from "~/generated/prisma/client";
import { transformer } from "../functions/transformer";

/** A document of the `_scheduled_functions` system table. Times are in milliseconds since the epoch. */
export interface ScheduledFunctionDocument {
  _id: string;
  _creationTime: number;
  /** As `messages.sendMessage`. */
  name: string;
  args: unknown;
  scheduledTime: number;
  /** When it ended, if it did. */
  completedTime?: number;
  state: ScheduledState;
}

/** A job's arguments as the scheduler serialized them; `null` when they are not what it writes. */
export function readArgs(args: unknown): unknown {
  try {
    return transformer.deserialize(args as SuperJSONResult);
  } catch {
    return null;
  }
}

/** A `_scheduled_functions` row as functions see it. */
export function toScheduledFunction(row: ScheduledFunction): ScheduledFunctionDocument {
  return {
    _id: row.id,
    _creationTime: row.creationTime.getTime(),
    name: row.name,
    args: readArgs(row.args),
    scheduledTime: row.scheduledTime.getTime(),
    ...(row.completedTime && { completedTime: row.completedTime.getTime() }),
    state: row.state,
  };
}
