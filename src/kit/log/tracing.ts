import { type Attributes, ProxyTracerProvider, SpanStatusCode, trace } from "@opentelemetry/api";
import { sendLast } from "../process/process-wide";
import { redact } from "./text";

/** Whether a collector for spans is registered. Until then, OpenTelemetry's global provider delegates to no other. */
function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer("") !== undefined;
}

/** Runs `work` as a span of OpenTelemetry. If nothing collects spans, it only runs `work`. */
export function traced<R>(name: string, attributes: Attributes, work: () => Promise<R>): Promise<R> {
  if (!isTracing()) return work();
  // A tracer that a module got before the start of tracing would do nothing, so each call gets its own.
  return trace.getTracer("next-trpc-storage").startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: redact(String(error)) });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The name of the app in spans and metrics, unless `OTEL_SERVICE_NAME` has another. */
export const serviceName = "next-trpc-storage";

/**
 * Sends spans to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` and OpenTelemetry's other variables name: the
 * spans of Next.js for requests, and the kit's within them. The rest is sent when the process ends.
 */
export async function startTracing(): Promise<void> {
  const { registerOTel } = await import("@vercel/otel");
  registerOTel({
    serviceName,
    spanProcessors: [
      {
        onStart: () => undefined,
        // Next.js records the URL of each request, and signed URLs grant access.
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
    // Spans of `fetch` would hold signed URLs of the blob store. The drivers make spans of their own.
    instrumentations: [],
  });
  sendLast(async () => {
    const provider = trace.getTracerProvider();
    const sender = provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
    if ("forceFlush" in sender && typeof sender.forceFlush === "function") await sender.forceFlush();
  });
}
