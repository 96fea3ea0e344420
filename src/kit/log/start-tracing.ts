import { registerOTel } from "@vercel/otel";
import { redact } from "./redact";

/**
 * Sends spans to where `OTEL_EXPORTER_OTLP_ENDPOINT` and OpenTelemetry's other variables say: those of Next.js for
 * requests, and ours within them.
 */
export function startTracing(): void {
  registerOTel({
    serviceName: "next-trpc-storage",
    spanProcessors: [
      {
        onStart: () => undefined,
        // Next.js notes the URL of each request, and ours are capabilities.
        onEnd(span) {
          for (const { attributes = {} } of [span, ...span.events]) {
            for (const [name, value] of Object.entries(attributes)) {
              if (typeof value === "string") attributes[name] = redact(value);
            }
          }
        },
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
      "auto",
    ],
    // Of fetch: the URLs of blob stores are capabilities too, and their calls have spans of the driver.
    instrumentations: [],
  });
}
