import { open } from "node:fs/promises";
import { join } from "node:path";

const folder = process.env.BENCH_FOLDER;
const pieceSize = 256 * 1024;

/** Streams a file as it is commonly written: a piece is read when the one before was taken. */
export async function GET(request) {
  const file = await open(join(folder, new URL(request.url).searchParams.get("name")));
  const { size } = await file.stat();
  const body = new ReadableStream({
    async pull(controller) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(pieceSize), 0, pieceSize);
      if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
      await file.close();
      controller.close();
    },
    cancel: () => file.close(),
  });
  return new Response(body, { headers: { "Content-Type": "application/octet-stream", "Content-Length": `${size}` } });
}

/** Writes the chunks as they come, then fsyncs: no hash, no row, no rename. */
export async function POST(request) {
  const file = await open(join(folder, new URL(request.url).searchParams.get("name")), "w");
  for await (const chunk of request.body) await file.write(chunk);
  await file.sync();
  await file.close();
  return Response.json({ ok: true });
}
