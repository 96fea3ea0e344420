import { format } from "node:util";
import { redact } from "./redact";
import type { Level, Line } from "./scope";

const maxLines = 100;
const maxLength = 1_000;

/** Collects what a call prints, as far as it is of a size to keep. */
export function collectLines() {
  const lines: Line[] = [];
  let more = 0;
  const add = (level: Level, text: string) =>
    lines.push({ time: performance.timeOrigin + performance.now(), level, text });
  return {
    print(level: Level, args: unknown[]): void {
      if (lines.length < maxLines) add(level, storable(format(...args), maxLength));
      else more += 1;
    },
    /** `null` when nothing was printed. */
    end(): Line[] | null {
      if (more > 0) add("warn", `${more} more lines are not kept: a call has ${maxLines} at most`);
      return lines.length > 0 ? lines : null;
    },
  };
}

/** The text as the log keeps it: without secrets, of bounded length, and such that PostgreSQL takes it. */
export function storable(text: string, maxLength: number): string {
  // Secrets go before the text is cut: half of one is none that could be recognized.
  const rest = text.length - maxLength;
  const cut = redact(text.slice(0, 2 * maxLength)).slice(0, maxLength);
  // No NUL, no half of a surrogate pair.
  const clean = Buffer.from(cut.replaceAll("\0", "\uFFFD")).toString();
  return rest > 0 ? `${clean}… (${rest} more characters)` : clean;
}
