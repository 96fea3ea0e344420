import type { S3Client } from "@aws-sdk/client-s3";

export interface S3Options {
  bucket: string;
  region: string;
  /** Of a store that is not Amazon's. */
  endpoint?: string;
  /** Milliseconds without a byte, in either direction, after which a request counts as stuck. */
  stallTimeout?: number;
}

export const defaultStallTimeout = 60_000;

interface Loaded {
  sdk: typeof import("@aws-sdk/client-s3");
  client: S3Client;
}

/**
 * The SDK, loaded when it is first used: apps on another driver never pay for it. Credentials are found where the SDK
 * looks for them: the environment, a profile, the machine's role.
 */
export function s3Client({ region, endpoint, stallTimeout = defaultStallTimeout }: S3Options): () => Promise<Loaded> {
  let loaded: Promise<Loaded> | undefined;
  return () => {
    loaded ??= import("@aws-sdk/client-s3").then((sdk) => ({
      sdk,
      client: new sdk.S3Client({
        region,
        endpoint,
        forcePathStyle: endpoint !== undefined,
        // Some stores do not know the checksums that the SDK sends by default.
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
        requestHandler: {
          connectionTimeout: 5_000,
          // Of a request that does not move. How long one takes is its size and the network's business.
          socketTimeout: stallTimeout,
          // A download holds its socket: those of slow readers must not keep all others waiting.
          httpAgent: { maxSockets: 1000 },
          httpsAgent: { maxSockets: 1000 },
        },
      }),
    }));
    return loaded;
  };
}

export function nullWhen(...names: string[]) {
  return (error: unknown): null => {
    if (error instanceof Error && names.includes(error.name)) return null;
    throw error;
  };
}
