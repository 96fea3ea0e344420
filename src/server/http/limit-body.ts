import { TRPCError } from "@trpc/server";

/** The request, whose body throws `PAYLOAD_TOO_LARGE` once more than `limit` bytes of it are read. */
export function limitBody(request: Request, limit: number): Request {
  if (!request.body) return request;
  let received = 0;
  const limited = request.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        received += chunk.byteLength;
        if (received <= limit) return controller.enqueue(chunk);
        controller.error(
          new TRPCError({ code: "PAYLOAD_TOO_LARGE", message: `The body is larger than ${limit} bytes` }),
        );
      },
    }),
  );
  const init: RequestInit & { duplex: "half" } = { body: limited, duplex: "half" };
  return new Request(request, init);
}
