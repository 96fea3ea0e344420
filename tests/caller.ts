import { router } from "~/functions";
import { createCaller } from "~/server/caller";
import { upload } from "~/server/storage/upload/upload";
import { t } from "~/server/trpc";

/** The functions of the app, called as tRPC calls them. */
export const api = t.createCallerFactory(router)(createCaller(new Headers()));

/** POSTs `body` to an upload URL, without a server. */
export function post(url: string, body: BodyInit | null, headers: HeadersInit = {}): Promise<Response> {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, headers, duplex: "half" };
  return upload(new Request(url, init));
}

/** Uploads a file through the whole flow and returns its storage id. */
export async function uploadFile(body: BodyInit, contentType = "image/png"): Promise<string> {
  const response = await post(await api.files.generateUploadUrl(), body, { "Content-Type": contentType });
  const answer: { storageId: string } = await response.json();
  return answer.storageId;
}
