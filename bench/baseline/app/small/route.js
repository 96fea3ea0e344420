import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Serves a small file in one read: the least that an App Router handler can do. */
export async function GET(request) {
  const bytes = await readFile(join(process.env.BENCH_FOLDER, new URL(request.url).searchParams.get("name")));
  return new Response(bytes, { headers: { "Content-Type": "image/png" } });
}
