import { expect, test } from "vitest";
import { z } from "zod";
import { check, fieldsOf, toArgs } from "~/kit/dashboard/pages/schema-fields";

const shape = z.object({
  text: z.string().min(1).max(5),
  count: z.int().min(1).max(10).default(3),
  cursor: z.uuid().nullish(),
  flag: z.boolean().optional(),
  kind: z.enum(["a", "b"]).optional(),
  list: z.array(z.string()).optional(),
  nested: z.object({ x: z.number() }),
});
const fields = fieldsOf(z.toJSONSchema(shape, { io: "input" }));

test("fieldsOf: each argument has the control that can say it", () => {
  expect(fields.map(({ name, control, isRequired }) => `${name} ${control}${isRequired ? " required" : ""}`)).toEqual([
    "text text required",
    "count number",
    "cursor text",
    "flag boolean",
    "kind choice",
    "list json",
    "nested json required",
  ]);
  expect(fields.map(({ hint }) => hint).slice(0, 2)).toEqual([
    "string, 1 to 5 characters",
    "integer, 1 to 10, 3 by default",
  ]);
});

test("toArgs: what is typed as values, what is optional and empty left out", () => {
  const texts = ["hi", "7", "", "false", "b", '["x"]', '{"x":1}'];
  expect(toArgs(fields, texts)).toEqual({
    text: "hi",
    count: 7,
    flag: false,
    kind: "b",
    list: ["x"],
    nested: { x: 1 },
  });
  expect(toArgs(fields, ["", "", "", "", "", "", "{}"])).toEqual({ text: "", nested: {} });
});

test("check: says what cannot be a value", () => {
  const problems = ["", "x", "", "", "", "[", ""].map((text, index) => {
    const field = fields[index];
    return field && check(field, text);
  });
  expect(problems).toEqual([true, '"x" is not a number', true, true, true, expect.stringMatching(/JSON/), "Needed"]);
});
