import { allowsContentType, readUploadToken, type UploadPermit } from "../upload-url";
import { UploadError } from "./upload-error";

/** The time that counts is that of the request's start. */
export function readPermit(url: URL): UploadPermit {
  const token = url.searchParams.get("token");
  if (!token) throw new UploadError("BadQueryArgs", "The URL has no token; use the URL that generateUploadUrl returns");
  const permit = readUploadToken(token);
  if (!permit) throw new UploadError("StorageTokenInvalid", "This is not an upload URL of ours; ask for a new one");
  if (permit.expiresAt < Date.now()) {
    throw new UploadError("StorageTokenExpired", "The upload URL expired; ask for a new one");
  }
  return permit;
}

/** Refuses a file that the permit does not take, as far as its announcement tells. */
export function checkPermit(permit: UploadPermit, file: { contentType: string | null; size?: number }): void {
  const { maxSize, contentTypes } = permit;
  if (!allowsContentType(permit, file.contentType)) {
    const given = file.contentType ?? "a file without a type";
    const message = `This upload URL takes ${contentTypes?.join(", ")}, not ${given}; send such a file`;
    throw new UploadError("ContentTypeNotAllowed", message);
  }
  if (maxSize !== undefined && file.size !== undefined && file.size > maxSize) throw UploadError.tooLarge(maxSize);
}
