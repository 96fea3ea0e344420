import { StorageFullError } from "./drivers/driver";

/** The status of the answer by the code of the error. docs/protocol.md lists both. */
const statuses = {
  BadQueryArgs: 400,
  StorageTokenInvalid: 401,
  StorageTokenExpired: 401,
  StorageTokenUsed: 409,
  BadHeader: 400,
  Sha256Mismatch: 400,
  FileTooLarge: 413,
  ContentTypeNotAllowed: 415,
  IncompleteBody: 400,
  RequestTimeout: 408,
  UploadNotFound: 404,
  UploadBegun: 409,
  OffsetMismatch: 409,
  ChecksumMismatch: 460,
  UploadLocked: 423,
  TusVersionUnsupported: 412,
  TooManyRequests: 429,
  StorageFull: 507,
  StorageUnavailable: 503,
  InternalServerError: 500,
} as const;

/** The reason why a file was not stored, in words for its sender. */
export class UploadError extends Error {
  override name = "UploadError";
  readonly status: number;

  constructor(
    readonly code: keyof typeof statuses,
    message: string,
    /** Further fields of the JSON answer. */
    readonly details: { storageId?: string; missing?: number[] } = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.status = statuses[code];
  }

  /** Whether the bytes that arrived are useless. Otherwise the client may continue. */
  get isFinal(): boolean {
    return this.status < 500 && this.code !== "UploadLocked" && this.details.missing === undefined;
  }

  static used(storageId: string): UploadError {
    const message = "This upload URL has made its file already; ask for a new one";
    return new UploadError("StorageTokenUsed", message, { storageId });
  }

  static ownerDeleted(): UploadError {
    return new UploadError("StorageTokenExpired", "The account that asked for this upload URL was deleted");
  }

  static begun(size: number): UploadError {
    const message = `An upload of ${size} bytes has begun with this URL; continue it, or DELETE it first`;
    return new UploadError("UploadBegun", message);
  }

  static locked(): UploadError {
    return new UploadError("UploadLocked", "Another request is writing this upload; try again in a moment");
  }

  static checking(position: number, size: number): UploadError {
    const message = `All bytes are here, and ${position} of ${size} are checked; ask again`;
    return new UploadError("UploadLocked", message);
  }

  /** @param missing the numbers of parts, which count from 1 */
  static missing(missing: number[]): UploadError {
    const message = `The store does not have parts ${missing.slice(0, 20).join(", ")}; send them and complete again`;
    return new UploadError("IncompleteBody", message, { missing });
  }

  static tooLarge(maxSize: number): UploadError {
    return new UploadError("FileTooLarge", `The file is larger than ${maxSize} bytes; send a smaller one`);
  }

  static overAllowance(): UploadError {
    const message = "Too many bytes came from here without an account; sign in, or come back tomorrow";
    return new UploadError("TooManyRequests", message);
  }

  static sha256Mismatch(expected: string, actual: string): UploadError {
    const message = `Sha256 mismatch: expected ${expected}, received ${actual}; send the file again`;
    return new UploadError("Sha256Mismatch", message);
  }

  static incomplete(received: string): UploadError {
    return new UploadError("IncompleteBody", `Received ${received} bytes; send the file again`);
  }

  static full(cause?: unknown): UploadError {
    return new UploadError("StorageFull", "The server has no room for the file; try again later", {}, { cause });
  }

  /** The answer for an error of a blob store or of the database. */
  static ofStore(cause: unknown): UploadError {
    return cause instanceof StorageFullError
      ? UploadError.full(cause)
      : new UploadError("StorageUnavailable", "The server cannot store files now; try again later", {}, { cause });
  }
}

export function storeFailed(error: unknown): never {
  throw UploadError.ofStore(error);
}
