import type { S3Client } from "@aws-sdk/client-s3";

interface ClientOptions {
  region: string;
  /** For a store that is not Amazon's. */
  endpoint?: string;
  /** How long a request may go without a byte in either direction. Default: one minute. */
  stallTimeoutMs?: number;
}

export const defaultStallTimeoutMs = 60_000;

interface Loaded {
  sdk: typeof import("@aws-sdk/client-s3");
  client: S3Client;
}

/**
 * Loads the SDK at its first use, so that apps with another driver never load it. The SDK finds the credentials in the
 * environment, in a profile or in the machine's role.
 */
export function s3Client({
  region,
  endpoint,
  stallTimeoutMs = defaultStallTimeoutMs,
}: ClientOptions): () => Promise<Loaded> {
  let loaded: Promise<Loaded> | undefined;
  return () => {
    loaded ??= import("@aws-sdk/client-s3").then((sdk) => ({
      sdk,
      client: new sdk.S3Client({
        region,
        endpoint,
        forcePathStyle: endpoint !== undefined,
        // Some stores do not support the checksums that the SDK sends by default.
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
        requestHandler: {
          connectionTimeout: 5_000,
          // Limits only how long a request stands still. How long it takes depends on its size and on the network.
          socketTimeout: stallTimeoutMs,
          // A download holds its socket, and slow readers must not make all others wait.
          httpAgent: { maxSockets: 1000 },
          httpsAgent: { maxSockets: 1000 },
        },
      }),
    }));
    return loaded;
  };
}

/** Returns `null` for an error of one of these names, and throws any other. */
export function nullWhen(...names: string[]) {
  return (error: unknown): null => {
    if (error instanceof Error && names.includes(error.name)) return null;
    throw error;
  };
}
