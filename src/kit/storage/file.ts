import { TRPCError } from "@trpc/server";
import { v7 } from "uuid";
import { z } from "zod";
import type { Id } from "../database/ids";
import { quote } from "../log/text";

/** A document of the `_storage` system table. */
export interface FileMetadata {
  _id: Id<"_storage">;
  /** Milliseconds since the epoch. */
  _creationTime: number;
  /** Lower-case hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** As sent with the upload; `null` when none was. */
  contentType: string | null;
  /** The type that the first bytes show. Absent when they match no known type, for example for text. */
  detectedType?: string;
  /** Set while the file waits for `ctx.storage.release`. */
  held?: true;
  /** The properties of an image, once it has been examined. Absent for other files. */
  image?: ImageMetadata;
}

/** What the bytes of an image say about it. */
export interface ImageMetadata {
  /** In pixels, after rotation to upright. For an animation, the width of one frame. */
  width: number;
  height: number;
  /** A blurred placeholder of about 25 bytes, in base64: see https://evanw.github.io/thumbhash. */
  thumbhash?: string;
  /** Whether the image is an animation. */
  animated: boolean;
  /** The number of frames of an animation. 1 for other images, and when the frames cannot be counted. */
  pages: number;
}

/** A row of `_storage`, as Prisma's client returns it and as SQL selects it with `fileColumns`. */
export interface FileRow {
  id: string;
  creationTime: Date;
  sha256: string;
  /** Bytes. `pg` returns it as a string. */
  size: bigint | string;
  contentType: string | null;
  detectedType: string | null;
  held: boolean;
  image: unknown;
}

/** The columns of a `FileRow`, for SQL that reads or returns rows of `_storage`. */
export const fileColumns = `"_id"::text AS "id", "_creationTime" AS "creationTime", "sha256", "size", "contentType", "detectedType", "held", "image"`;

/** A `_storage` row as functions see it. */
export const toMetadata = (row: FileRow): FileMetadata => ({
  _id: row.id,
  _creationTime: row.creationTime.getTime(),
  sha256: row.sha256,
  size: Number(row.size),
  contentType: row.contentType,
  ...(row.detectedType !== null && { detectedType: row.detectedType }),
  ...(row.held && { held: true }),
  ...(isImageMetadata(row.image) && { image: row.image }),
});

/** Only `describeImage` writes this column, so the first property tells whether there are all of them. */
const isImageMetadata = (value: unknown): value is ImageMetadata =>
  typeof value === "object" && value !== null && "width" in value;

const idSchema = z.uuid({ error: ({ input }) => `A storage id is a UUID, not ${shown(input)}` }).toLowerCase();

/** The argument type of a storage id: `args: { storageId: storageId() }`. */
export const storageId = (): z.ZodType<Id<"_storage">, Id<"_storage">> => idSchema;

export const newStorageId = (): Id<"_storage"> => v7();

/** Returns the id in lower case. Throws a `BAD_REQUEST` that quotes a malformed one. */
export function parseStorageId(id: unknown): Id<"_storage"> {
  const { data, error } = idSchema.safeParse(id);
  if (error) throw new TRPCError({ code: "BAD_REQUEST", message: error.issues[0]?.message });
  return data;
}

/** Describes a value that may be anything: an object may be endless, circular or have a `toString` of its own. */
function shown(input: unknown): string {
  if (typeof input === "string") return quote(input);
  if (typeof input === "object" && input !== null) return "an object";
  return typeof input === "function" || typeof input === "symbol" ? `a ${typeof input}` : String(input);
}
