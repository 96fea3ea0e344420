import { type Attributes, SpanStatusCode, trace } from "@opentelemetry/api";
import { redact } from "./redact";

/** Runs `work` as a span of OpenTelemetry's; where nothing collects them, it only runs it. */
export function traced<R>(name: string, attributes: Attributes, work: () => Promise<R>): Promise<R> {
  // Asked for each time: what a module held since before the start would be of no use.
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
