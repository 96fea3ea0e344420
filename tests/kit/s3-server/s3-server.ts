import { randomUUID } from "node:crypto";
import { type IncomingMessage, request } from "node:http";
import { buffer } from "node:stream/consumers";
import * as sdk from "@aws-sdk/client-s3";
import type { S3Store } from "../stand-ins/s3";
import { type Answer, startStandIn } from "../stand-ins/stand-in";

/** A bucket of its own on the server that the environment names, through a proxy in which the tests' faults happen. */
export async function openS3Server(): Promise<S3Store> {
  const { S3_ENDPOINT = "", S3_REGION = "", AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" } = process.env;
  const Bucket = `tests-${randomUUID()}`;
  const client = new sdk.S3Client({ endpoint: S3_ENDPOINT, region: S3_REGION, forcePathStyle: true });
  await client.send(new sdk.CreateBucketCommand({ Bucket }));
  const objects = async () => (await client.send(new sdk.ListObjectsV2Command({ Bucket }))).Contents ?? [];
  const uploads = async () => (await client.send(new sdk.ListMultipartUploadsCommand({ Bucket }))).Uploads ?? [];

  const proxy = await startStandIn((incoming, body) => forward(S3_ENDPOINT, incoming, body));
  const stopProxy = proxy.stop;
  return Object.assign(proxy, {
    settings: { S3_BUCKET: Bucket, S3_ENDPOINT: proxy.url, S3_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
    count: async () => ({ blobs: (await objects()).length, uploads: (await uploads()).length }),
    async corrupt(Body: Buffer) {
      for (const { Key } of await objects()) await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body }));
    },
    stop: async () => {
      await stopProxy();
      for (const { Key, UploadId } of await uploads()) {
        await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
      }
      for (const { Key } of await objects()) await client.send(new sdk.DeleteObjectCommand({ Bucket, Key }));
      await client.send(new sdk.DeleteBucketCommand({ Bucket }));
    },
  });
}

/** Forwards the `Host` header unchanged, because it is signed. */
async function forward(
  endpoint: string,
  { method, url = "", headers }: IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(new URL(url, endpoint), { method, headers }, resolve).on("error", reject).end(body);
  });
  const { connection, "transfer-encoding": encoding, ...ofTheAnswer } = answer.headers;
  return { status: answer.statusCode ?? 0, headers: ofTheAnswer, body: await buffer(answer) };
}
