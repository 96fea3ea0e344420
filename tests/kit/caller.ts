import { app } from "~/functions";
import { t } from "~/kit/functions/builders";
import { createSystemContext } from "~/kit/functions/request-context";
import { upload } from "~/kit/storage/upload";

const { router } = app;

const call = t.createCallerFactory(router);

/** Calls the app's functions as tRPC does, without an identity. */
export const api = call(createSystemContext());

/** Calls the app's functions with an identity. */
export const apiOf = (subject: string) =>
  call({
    ...createSystemContext(),
    identity: async () => ({ tokenIdentifier: `test|${subject}`, subject, issuer: "test" }),
  });

/** POSTs `body` to an upload URL, without a server. */
export function post(url: string, body: BodyInit | null, headers: HeadersInit = {}): Promise<Response> {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, headers, duplex: "half" };
  return upload(new Request(url, init));
}

/** Uploads a file through the whole flow and returns its storage id. */
export async function uploadFile(body: BodyInit, contentType = "image/png", by = api): Promise<string> {
  const response = await post(await by.files.generateUploadUrl(), body, { "Content-Type": contentType });
  const answer: { storageId: string } = await response.json();
  return answer.storageId;
}
