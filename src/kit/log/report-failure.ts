import { scope } from "./scope";

/** Logs what a request failed by, when nobody meant it to. `name` is the function, as far as it is known. */
export function reportFailure(requestId: string, name: string | undefined, error: unknown): void {
  const call = name === undefined ? undefined : { function: name, depth: 0, print: () => undefined };
  scope.run({ requestId, call }, () => console.error(`Request ${requestId} to ${name} failed:`, error));
}
