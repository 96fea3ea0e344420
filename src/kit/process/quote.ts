/** A value from outside as an error quotes it: as JSON, and no longer than fits into a line. */
export function quote(value: unknown, maxLength = 100): string {
  const text = typeof value === "string" ? value : String(value);
  return JSON.stringify(text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`);
}

/** A message as it is answered and logged: one that quotes what was sent may be as long as that was. */
export const shorten = (message: string, maxLength = 1_000): string =>
  message.length <= maxLength
    ? message
    : `${message.slice(0, maxLength)}… (${message.length - maxLength} more characters)`;
