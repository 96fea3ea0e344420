import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { readJson as readAnyJson } from "../../http/body";
import { UploadError } from "../upload/upload-error";

/** Bytes, and values; a thousand answers of a store fit in. */
const largest = [1024 * 1024, 20_000] as const;

/** The JSON of a request's body. */
export async function readJson<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const body = await readAnyJson(request, ...largest).catch((cause) => {
    if (!(cause instanceof TRPCError)) throw cause;
    throw new UploadError("BadQueryArgs", `Cannot read the body: ${cause.message}`, {}, { cause });
  });
  const { data, error } = schema.safeParse(body);
  if (error) throw new UploadError("BadQueryArgs", z.prettifyError(error).replaceAll("✖ ", ""));
  return data;
}
