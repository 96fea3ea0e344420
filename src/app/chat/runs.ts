/** Anything in the chat that has an author and a time, in milliseconds since the epoch. */
interface Entry {
  author: string;
  at: number;
}

/** Within it, an author's messages are shown as one run, under one name and time. */
const runLength = 5 * 60_000;

/** Whether `entry` needs its author and time shown, coming after `previous`. */
export function startsRun(entry: Entry, previous: Entry | undefined): boolean {
  return previous?.author !== entry.author || entry.at - previous.at > runLength;
}
