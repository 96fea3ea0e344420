import { expect, test } from "vitest";
import { explainAnswer } from "~/kit/client/upload-request";

test.each([
  { status: 413, code: "FileTooLarge", explainedAs: "FileTooLarge", retryable: false },
  { status: 415, code: "ContentTypeNotAllowed", explainedAs: "ContentTypeNotAllowed", retryable: false },
  { status: 401, code: "StorageTokenExpired", explainedAs: "StorageTokenExpired", retryable: true },
  { status: 507, code: "StorageFull", explainedAs: "StorageFull", retryable: true },
  { status: 500, code: "InternalServerError", explainedAs: "InternalServerError", retryable: true },
  { status: 413, code: undefined, explainedAs: "FileTooLarge", retryable: false },
  { status: 502, code: undefined, explainedAs: "Http502", retryable: true },
])("explainAnswer: $status with code $code is $explainedAs", ({ status, code, explainedAs, retryable }) => {
  expect(explainAnswer(status, code)).toMatchObject({ name: "UploadError", code: explainedAs, retryable });
});
