import type { inferRouterInputs } from "@trpc/server";
import type { KitRouter } from "../../functions/router";

/** A condition that rows must meet. */
export type Filter = NonNullable<inferRouterInputs<KitRouter>["dashboard"]["data"]["rows"]["filters"]>[number];

export const operators: Record<Filter["operator"], string> = {
  is: "is",
  contains: "contains",
  atLeast: "is at least",
  atMost: "is at most",
  isEmpty: "is empty",
  isNotEmpty: "is not empty",
};

export const isOperator = (text: unknown): text is Filter["operator"] => typeof text === "string" && text in operators;

/** The address of the rows of a table that meet these conditions. */
export function hrefOfRows(table: string, filters: Filter[] = []): string {
  const search = new URLSearchParams({ table });
  for (const { column, operator, value = "" } of filters)
    search.append("filter", JSON.stringify([column, operator, value]));
  return `/dashboard/data?${search}`;
}

/** Reads the conditions in an address. Ignores parameters that are not conditions. */
export function filtersOf(given: string[]): Filter[] {
  return given.flatMap((text) => {
    const [column, operator, value] = parsed(text);
    if (typeof column !== "string" || !isOperator(operator) || typeof value !== "string") return [];
    return [{ column, operator, value }];
  });
}

function parsed(text: string): unknown[] {
  try {
    return [JSON.parse(text)].flat();
  } catch {
    return [];
  }
}
