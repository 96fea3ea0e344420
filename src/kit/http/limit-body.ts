import { TRPCError } from "@trpc/server";

/**
 * The request, whose body throws `PAYLOAD_TOO_LARGE` once more than `limit` bytes of it are read, and `BAD_REQUEST` when it
 * ends before all that was announced has come: something in between may cut it off and pass it on as whole.
 * @throws TRPCError `PAYLOAD_TOO_LARGE` at once where the request announces more
 */
export function limitBody(request: Request, limit: number): Request {
  const tooLarge = () =>
    new TRPCError({
      code: "PAYLOAD_TOO_LARGE",
      message: `The request's body is larger than ${limit} bytes. Send files of any size to upload URLs.`,
    });
  const announced = request.headers.get("content-length");
  if (Number(announced) > limit) throw tooLarge();
  if (!request.body) return request;
  const isCut = (received: number) => announced !== null && received < Number(announced);
  const cut = (received: number) =>
    new TRPCError({
      code: "BAD_REQUEST",
      message: `Only ${received} of ${announced} bytes of the request's body arrived; send it again`,
    });
  const init: RequestInit & { duplex: "half" } = {
    body: request.body.pipeThrough(counting(limit, tooLarge, (received) => (isCut(received) ? cut(received) : null))),
    duplex: "half",
  };
  return new Request(request, init);
}

/** The response, whose body breaks off once it is larger than `limit` bytes. Throws when that is known beforehand. */
export function limitResponse(response: Response, limit: number): Response {
  const tooLarge = () =>
    new Error(`The response's body is larger than ${limit} bytes; raise the route's maxResponseSize`);
  if (Number(response.headers.get("content-length")) > limit) throw tooLarge();
  if (!response.body) return response;
  return new Response(response.body.pipeThrough(counting(limit, tooLarge)), response);
}

function counting(
  limit: number,
  tooLarge: () => Error,
  problemAtEnd: (passed: number) => Error | null = () => null,
): TransformStream<Uint8Array, Uint8Array> {
  let passed = 0;
  return new TransformStream({
    transform(chunk, controller) {
      passed += chunk.byteLength;
      if (passed <= limit) controller.enqueue(chunk);
      else controller.error(tooLarge());
    },
    flush(controller) {
      const problem = problemAtEnd(passed);
      if (problem) controller.error(problem);
    },
  });
}
