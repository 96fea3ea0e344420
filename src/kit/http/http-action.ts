import type { ActionCtx } from "../functions/context";

/** A function that answers an HTTP request; `http.route` takes one. */
export interface HttpAction {
  readonly answer: (ctx: ActionCtx, request: Request) => Promise<Response>;
}

type Handler<Ctx> = (ctx: Ctx, request: Request) => Response | Promise<Response>;

interface HttpActionBuilder<Ctx> {
  (handler: Handler<Ctx>): HttpAction;
  /** The same builder with more in its `ctx`, or one that refuses by throwing. */
  use<More extends object>(narrow: (ctx: Ctx) => More | Promise<More>): HttpActionBuilder<Ctx & More>;
}

/**
 * A function that answers an HTTP request with what an action can do:
 *
 *     httpAction(async (ctx, request) => Response.json(await ctx.runQuery(messages.list)));
 */
export const httpAction = builder(async (ctx: ActionCtx) => ctx);

function builder<Ctx>(extend: (ctx: ActionCtx) => Promise<Ctx>): HttpActionBuilder<Ctx> {
  const build = (handler: Handler<Ctx>): HttpAction => ({
    async answer(ctx, request) {
      const response: unknown = await handler(await extend(ctx), request);
      if (response instanceof Response) return response;
      throw new TypeError(`HTTP actions must return a Response, not ${String(response)}`);
    },
  });
  return Object.assign(build, {
    use: <More extends object>(narrow: (ctx: Ctx) => More | Promise<More>) =>
      builder(async (ctx: ActionCtx) => {
        const base = await extend(ctx);
        return { ...base, ...(await narrow(base)) };
      }),
  });
}
