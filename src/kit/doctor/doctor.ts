import { env } from "../process/env";
import { examineApp } from "./app";
import { examineDatabase } from "./database";
import type { Finding } from "./finding";
import { examineProxy } from "./proxy";
import { examineStore } from "./store";

interface Surroundings {
  /** The origin of the app's pages. */
  origin: string;
  /** The headers of a request that came through the proxies; `null` without one. */
  headers: Headers | null;
  /** Whether to ask the app at its public origin, too. */
  throughProxy: boolean;
}

/**
 * Looks at all that the app depends on, and says what is wrong and how to repair it. The dashboard shows this, and
 * `npm run kit -- doctor` prints it. Each check has a time limit, and no text has a secret.
 */
export async function examine({ origin, headers, throughProxy }: Surroundings): Promise<Finding[]> {
  const found = await Promise.all([
    examineDatabase(),
    examineStore(origin),
    examineApp(headers),
    // Without it the app has no public origin.
    throughProxy && env.APP_ORIGIN ? examineProxy(env.APP_ORIGIN) : [],
  ]);
  return found.flat();
}
