// Compiled by `npm run check`, never run: what a job cannot do must not compile.
import { z } from "zod";
import { action, internalAction, internalMutation, internalQuery, mutation } from "~/kit/functions/builders";
import { jobResult } from "~/kit/jobs/rows";

const send = internalAction({ args: { to: z.string() }, handler: async (_, { to }) => ({ messageId: `${to} 1` }) });
const clean = internalMutation({ handler: () => undefined });
const args = z.object({ to: z.string() });
const value = z.object({ messageId: z.string() });

const sent = internalMutation({ args: { jobId: z.uuid(), args, result: jobResult(value) }, handler: () => undefined });
const sentAnything = internalMutation({ args: { result: jobResult() }, handler: () => undefined });
const sentNumber = internalMutation({ args: { result: jobResult(z.number()) }, handler: () => undefined });
const sentElse = internalMutation({ args: { args: z.object({ from: z.string() }) }, handler: () => undefined });
const sentWithMore = internalMutation({ args: { jobId: z.uuid(), more: z.string() }, handler: () => undefined });
const sentByAction = internalAction({ args: { result: jobResult() }, handler: () => undefined });

mutation({
  handler: async ({ scheduler }) => {
    const id: string = await scheduler.runAfter(0, send, { to: "ann" });
    await scheduler.runAfter(0, send, { to: "ann" }, { retry: { maxAttempts: 3 }, key: "ann" });
    await scheduler.runAt(new Date(), send, { to: "ann" }, { onComplete: sent });
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: sentAnything });
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: clean });
    await scheduler.runAfter(0, clean, {}, { onComplete: sentAnything });
    await scheduler.runAfter(0, clean);
    // @ts-expect-error arguments are those of the function
    await scheduler.runAfter(0, send, { from: "ann" }, { key: "ann" });
    // @ts-expect-error onComplete expects another result
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: sentNumber });
    // @ts-expect-error onComplete expects arguments of another function
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: sentElse });
    // @ts-expect-error onComplete expects more than it is given
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: sentWithMore });
    // @ts-expect-error onComplete is a mutation, which runs exactly once
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: sentByAction });
    // @ts-expect-error retry says how often at most
    await scheduler.runAfter(0, send, { to: "ann" }, { retry: { base: 2 } });
    // @ts-expect-error there is no such option
    await scheduler.runAfter(0, send, { to: "ann" }, { retries: 3 });
    // @ts-expect-error a query has no effect, so it is not scheduled
    await scheduler.runAfter(0, internalQuery({ handler: () => 1 }));
    return id;
  },
});

action({
  handler: async ({ scheduler }) => {
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: sent });
    // @ts-expect-error the same in actions
    await scheduler.runAfter(0, send, { to: "ann" }, { onComplete: sentNumber });
  },
});

internalMutation({
  args: { result: jobResult(value) },
  handler: (_, { result }) => {
    if (result.state === "success") {
      const messageId: string = result.value.messageId;
      return messageId;
    }
    // @ts-expect-error only a failure has an error
    return result.error;
  },
});
