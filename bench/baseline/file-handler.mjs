import { createReadStream, createWriteStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

const pieceSize = 256 * 1024;

/**
 * The same in Node's own terms, for the `pages/api` handler and for raw Node: `GET` and `POST ?name=`, `GET ?small=`.
 *
 * @param {import("node:http").IncomingMessage} req
 * @param {import("node:http").ServerResponse} res
 */
export async function handleFile(req, res) {
  const query = new URL(req.url ?? "", "http://localhost").searchParams;
  const path = join(process.env.BENCH_FOLDER ?? "", query.get("name") ?? query.get("small") ?? "");
  if (req.method === "POST") {
    await pipeline(req, createWriteStream(path, { highWaterMark: pieceSize, flush: true }));
    res.end('{"ok":true}');
  } else if (query.has("small")) {
    const bytes = await readFile(path);
    res.writeHead(200, { "Content-Type": "image/png", "Content-Length": bytes.length }).end(bytes);
  } else {
    const { size } = await stat(path);
    res.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": size });
    await pipeline(createReadStream(path, { highWaterMark: pieceSize }), res);
  }
}
