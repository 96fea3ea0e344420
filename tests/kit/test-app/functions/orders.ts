import { z } from "zod";
import { internalAction, internalMutation, mutation, query } from "~/kit";
import { jobResult } from "~/kit/server";

const order = { orderId: z.uuid() };
/** How long an order can be canceled after it was paid. */
const coolingOffMs = 24 * 60 * 60 * 1000;

/** The first step: the row and the job for the next step are made together, or not at all. */
export const place = mutation({
  args: { item: z.string().min(1) },
  handler: async (ctx, { item }) => {
    const { id } = await ctx.db.order.create({ data: { item, state: "paying" } });
    await ctx.scheduler.runAfter(0, pay, { orderId: id }, { retry: { maxAttempts: 10 }, onComplete: paid });
    return id;
  },
});

/** Calls the outside, at least once: the order's id lets the payment service recognize a second call. */
export const pay = internalAction({
  args: order,
  handler: async (ctx, { orderId }) => {
    const url = process.env.PAYMENTS_URL ?? "https://payments.example.com/charges";
    const headers = { "Idempotency-Key": orderId };
    const response = await fetch(url, { method: "POST", headers, signal: ctx.signal });
    if (!response.ok) throw new Error(`The payment service answered ${response.status}`);
    const { paymentId } = z.object({ paymentId: z.string() }).parse(await response.json());
    return { paymentId };
  },
});

/** One step: the row's change, and the scheduling of the next step, which here comes a day later. */
export const paid = internalMutation({
  args: { args: z.object(order), result: jobResult(z.object({ paymentId: z.string() })) },
  handler: async (ctx, { args: { orderId }, result }) => {
    if (result.state !== "success") {
      await ctx.db.order.updateMany({ where: { id: orderId, state: "paying" }, data: { state: "failed" } });
      return;
    }
    const { paymentId } = result.value;
    const { count } = await ctx.db.order.updateMany({
      where: { id: orderId, state: "paying" },
      data: { state: "paid", paymentId },
    });
    // If the order was canceled meanwhile, the customer gets the money back.
    const next = count === 1 ? ship : refund;
    await ctx.scheduler.runAfter(count === 1 ? coolingOffMs : 0, next, { orderId });
  },
});

export const ship = internalMutation({
  args: order,
  handler: async (ctx, { orderId }) => {
    await ctx.db.order.updateMany({ where: { id: orderId, state: "paid" }, data: { state: "shipped" } });
  },
});

/** A further step, for example another action that pays back. */
export const refund = internalMutation({
  args: order,
  handler: async (ctx, { orderId }) => {
    await ctx.db.order.update({ where: { id: orderId }, data: { state: "refunded" } });
  },
});

/** Each step checks the state, so that it does nothing after this. Returns whether the order was canceled. */
export const cancel = mutation({
  args: order,
  handler: async (ctx, { orderId }) => {
    const { state } = await ctx.db.order.findUniqueOrThrow({ where: { id: orderId } });
    if (state !== "paying" && state !== "paid") return false;
    await ctx.db.order.update({ where: { id: orderId }, data: { state: "canceled" } });
    // If the order is being paid at the moment, `paid` refunds it.
    if (state === "paid") await ctx.scheduler.runAfter(0, refund, { orderId });
    return true;
  },
});

/** This query is live on screen, because it reads the row. */
export const get = query({
  args: order,
  handler: (ctx, { orderId }) => ctx.db.order.findUnique({ where: { id: orderId } }),
});
