import { z } from "zod";
import { limitBody } from "../../http/limit-body";
import { UploadError } from "../upload/upload-error";

/** Bytes; a thousand answers of a store fit in. */
const largest = 1024 * 1024;

/** The JSON of a request's body. */
export async function readJson<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const body: unknown = await limitBody(request, largest)
    .json()
    .catch((cause) => {
      throw new UploadError("BadQueryArgs", "Cannot read the body; send a small JSON object", {}, { cause });
    });
  const { data, error } = schema.safeParse(body);
  if (error) throw new UploadError("BadQueryArgs", z.prettifyError(error).replaceAll("✖ ", ""));
  return data;
}
