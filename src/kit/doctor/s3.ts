import { s3Client } from "../storage/drivers/s3-client";
import { ok, problem, reasonOf } from "./finding";

/** The bucket of the settings. */
export interface Bucket {
  bucket: string;
  region: string;
  endpoint?: string;
}

const objectActions = [
  "s3:PutObject",
  "s3:GetObject",
  "s3:DeleteObject",
  "s3:AbortMultipartUpload",
  "s3:ListMultipartUploadParts",
];
const bucketActions = ["s3:ListBucket", "s3:ListBucketMultipartUploads"];

/** Tries what each permission allows, on an object of its own. */
export async function examinePermissions(settings: Bucket, Key: string) {
  const { sdk, client } = await s3Client(settings)();
  const { bucket: Bucket } = settings;
  const missing: string[] = [];
  const attempt = async <T>(permission: string, request: () => Promise<T>): Promise<T | null> => {
    try {
      return await request();
    } catch (error) {
      if (statusOf(error) !== 403) return null;
      missing.push(permission);
      return null;
    }
  };
  const object = { Bucket, Key };
  await attempt("s3:ListBucket", () => client.send(new sdk.ListObjectsV2Command({ Bucket, MaxKeys: 1 })));
  await attempt("s3:ListBucketMultipartUploads", () =>
    client.send(new sdk.ListMultipartUploadsCommand({ Bucket, Prefix: Key })),
  );
  // An upload in parts, which never becomes an object.
  const begun = await attempt("s3:PutObject", () => client.send(new sdk.CreateMultipartUploadCommand(object)));
  const upload = { ...object, UploadId: begun?.UploadId ?? "none" };
  await attempt("s3:ListMultipartUploadParts", () => client.send(new sdk.ListPartsCommand(upload)));
  await attempt("s3:AbortMultipartUpload", () => client.send(new sdk.AbortMultipartUploadCommand(upload)));
  await attempt("s3:GetObject", () => client.send(new sdk.HeadObjectCommand(object)));
  await attempt("s3:DeleteObject", () => client.send(new sdk.DeleteObjectCommand(object)));
  if (missing.length === 0) return ok("All permissions on the bucket are there.");
  return problem(`The credentials lack ${missing.join(", ")} on the bucket ${Bucket}.`, policyOf(Bucket));
}

const statusOf = (error: unknown): number | undefined => detailsOf(error).status;

interface Details {
  name?: string;
  message?: string;
  status?: number;
  /** The region that the bucket is in, where the store says it. */
  region?: string;
}

/** Reads the code and message of the SDK's error, or of the error that caused it. */
function detailsOf(error: unknown): Details {
  if (!(error instanceof Error)) return {};
  if (!("$metadata" in error))
    return error.cause ? detailsOf(error.cause) : { name: error.name, message: error.message };
  const { name, message, $metadata, $response, Region } = error as Error & {
    $metadata: { httpStatusCode?: number };
    $response?: { headers?: Record<string, string> };
    Region?: string;
  };
  const region = Region ?? $response?.headers?.["x-amz-bucket-region"] ?? /expecting '([\w-]+)'/.exec(message)?.[1];
  return { name, message, status: $metadata.httpStatusCode, region };
}

const credentials = "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of this machine.";

/** Explains a failure of S3, and what to do about it. */
export function explainS3(error: unknown, settings: Bucket) {
  const { name = "", message = "", status, region } = detailsOf(error);
  const { bucket } = settings;
  if (region && region !== settings.region) {
    return problem(`The bucket ${bucket} is in ${region}, and S3_REGION is ${settings.region}.`, `S3_REGION=${region}`);
  }
  if (/PermanentRedirect|AuthorizationHeaderMalformed/.test(name) || status === 301) {
    return problem(
      `The bucket ${bucket} is not in ${settings.region}.`,
      `aws s3api get-bucket-location --bucket ${bucket}\nSet S3_REGION to what it says.`,
    );
  }
  if (name === "NoSuchBucket" || status === 404) {
    return problem(
      `There is no bucket ${bucket}.`,
      `aws s3 mb s3://${bucket} --region ${settings.region}${endpointOption(settings)}`,
    );
  }
  if (name === "RequestTimeTooSkewed") {
    return problem(
      "The clock of this machine is wrong, and the store refuses its signatures.",
      "timedatectl set-ntp true",
    );
  }
  if (/InvalidAccessKeyId|SignatureDoesNotMatch|Credentials|ExpiredToken/.test(name)) {
    return problem(`The credentials are not accepted: ${message || name}.`, credentials);
  }
  if (status === 403)
    return problem(
      `The store refuses it: ${message || name}.`,
      `${credentials} Or allow what is missing.\n${policyOf(bucket)}`,
    );
  return problem(
    `${reasonOf(error)}.`,
    settings.endpoint && `Correct S3_ENDPOINT, which is ${settings.endpoint}, or start the store.`,
  );
}

const endpointOption = ({ endpoint }: Bucket) => (endpoint ? ` --endpoint-url ${endpoint}` : "");

/** The IAM policy with all that the app needs. */
function policyOf(bucket: string): string {
  const allow = (Action: string[], Resource: string) => ({ Effect: "Allow", Action, Resource });
  const Statement = [allow(bucketActions, `arn:aws:s3:::${bucket}`), allow(objectActions, `arn:aws:s3:::${bucket}/*`)];
  return `Give the user or role of the app this IAM policy:\n${JSON.stringify({ Version: "2012-10-17", Statement }, null, 2)}`;
}

/** The command that lets pages of `origin` use the bucket. */
export function corsOf(settings: Bucket, origin: string): string {
  const rule = {
    AllowedOrigins: [origin],
    AllowedMethods: ["GET", "HEAD", "PUT"],
    AllowedHeaders: ["*"],
    ExposeHeaders: ["ETag"],
    MaxAgeSeconds: 86_400,
  };
  const rules = JSON.stringify({ CORSRules: [rule] }, null, 2);
  return `aws s3api put-bucket-cors --bucket ${settings.bucket}${endpointOption(settings)} --cors-configuration '${rules}'`;
}
