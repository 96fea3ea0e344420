import type { S3Client } from "@aws-sdk/client-s3";

export interface S3Options {
  bucket: string;
  region: string;
  /** Of a store that is not Amazon's. */
  endpoint?: string;
}

interface Loaded {
  sdk: typeof import("@aws-sdk/client-s3");
  client: S3Client;
}

/**
 * The SDK, loaded when it is first used: apps on another driver never pay for it. Credentials are found where the SDK
 * looks for them: the environment, a profile, the machine's role.
 */
export function s3Client({ region, endpoint }: S3Options): () => Promise<Loaded> {
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
          // Until the answer begins; downloads may take as long as their readers do.
          requestTimeout: 60_000,
          throwOnRequestTimeout: true,
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
