/** An entry of the chat. The time is in milliseconds since the epoch. */
interface Entry {
  author: string;
  at: number;
}

/** Messages of one author within this time are shown as one run, under one name and time. */
const runLength = 5 * 60_000;

/** Whether `entry`, which follows `previous`, begins a run and shows its author and time. */
export function startsRun(entry: Entry, previous: Entry | undefined): boolean {
  return previous?.author !== entry.author || entry.at - previous.at > runLength;
}
