/** Why a file was not uploaded. `message` is written for the person who chose the file. */
export class UploadError extends Error {
  /** A code of the upload endpoint, or one of the client's own: `ConnectionLost`, `Refused`, `NotSaved`. */
  readonly code: string;
  /** Whether the same file can succeed when it is tried again. */
  readonly retryable: boolean;

  constructor(code: string, message: string, { retryable, cause }: { retryable: boolean; cause?: unknown }) {
    super(message, { cause });
    this.name = "UploadError";
    this.code = code;
    this.retryable = retryable;
  }
}

const final = { retryable: false };
const passing = { retryable: true };

const explanations = new Map([
  ["FileTooLarge", { ...final, message: "This file is too large. Choose a smaller one." }],
  ["ContentTypeNotAllowed", { ...final, message: "Files of this type are not accepted here." }],
  ["BadQueryArgs", { ...passing, message: "The upload link was incomplete. Try again." }],
  ["StorageTokenInvalid", { ...passing, message: "The upload link was not accepted. Try again." }],
  ["StorageTokenExpired", { ...passing, message: "The upload link has expired. Try again." }],
  ["Sha256Mismatch", { ...passing, message: "The file was damaged on its way. Try again." }],
  ["IncompleteBody", { ...passing, message: "The connection broke off. Try again." }],
  ["RequestTimeout", { ...passing, message: "The connection was too slow. Try again." }],
  ["ConnectionLost", { ...passing, message: "The connection was lost. Check your network, then try again." }],
  ["StorageFull", { ...passing, message: "The server has no space left. Try again later." }],
  ["StorageUnavailable", { ...passing, message: "The storage cannot be reached right now. Try again in a moment." }],
]);

/** The codes with which an upload URL will never work again. */
export const deadUrlCodes = ["BadQueryArgs", "StorageTokenInvalid", "StorageTokenExpired"];

/** The error for an answer of the upload endpoint, or of a proxy in front of it that answers without a `code`. */
export function explainAnswer(status: number, code = status === 413 ? "FileTooLarge" : `Http${status}`): UploadError {
  const explanation = explanations.get(code);
  if (explanation) return new UploadError(code, explanation.message, explanation);
  return new UploadError(code, "The server could not take the file. Try again.", passing);
}

export function connectionLost(): UploadError {
  return explainAnswer(0, "ConnectionLost");
}
