const encoder = new TextEncoder();

/** A stream of server-sent events in its least form: one at first, then pings. */
export function GET() {
  let timer;
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode("data: null\nid: 0\n\n"));
      timer = setInterval(() => controller.enqueue(encoder.encode("event: ping\ndata: \n\n")), 15_000);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-transform" } });
}
