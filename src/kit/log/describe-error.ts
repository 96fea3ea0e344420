/** An error with its stack and those of its causes; without other fields, which may hold anything. */
export function describeError(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return String(error);
  // tRPC wraps what it catches in an error of the same stack.
  if (error.cause instanceof Error && error.cause.stack === error.stack) return describeError(error.cause, depth);
  const causes: unknown[] = error instanceof AggregateError ? error.errors : error.cause ? [error.cause] : [];
  const below = depth < 5 ? causes.map((cause) => `\nCaused by: ${describeError(cause, depth + 1)}`) : [];
  return `${error.stack ?? error}${below.join("")}`;
}
