import { createSystemCaller } from "~/server/caller";
import { actionCtx } from "~/server/context";
import { upload } from "~/server/storage/upload/upload";

/** `ctx.storage` of an action. */
export const { storage } = actionCtx(createSystemCaller());

/** POSTs `body` to an upload URL, without a server. */
export function post(url: string, body: BodyInit | null, headers: HeadersInit = {}): Promise<Response> {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, headers, duplex: "half" };
  return upload(new Request(url, init));
}

/** Uploads a file through a URL and returns its storage id. */
export async function uploadFile(body: BodyInit, contentType = "image/png"): Promise<string> {
  const response = await post(await storage.generateUploadUrl(), body, { "Content-Type": contentType });
  const answer: { storageId: string } = await response.json();
  return answer.storageId;
}
