import { explainAnswer } from "./upload-error";

/** The storage id in an answer of the upload endpoints; throws an `UploadError` for any other. */
export function readStorageId({ status, text }: { status: number; text: string }): { storageId: string } {
  const { storageId, code } = parseAnswer(text);
  if (typeof storageId === "string" && (status === 200 || code === "StorageTokenUsed")) return { storageId };
  throw explainAnswer(status, typeof code === "string" ? code : undefined);
}

/** The fields of the endpoint's JSON; none for the HTML page of some proxy. */
export function parseAnswer(text: string): Record<string, unknown> {
  if (!text.startsWith("{")) return {};
  return JSON.parse(text);
}
