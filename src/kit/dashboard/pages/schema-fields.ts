import type { Answers } from "./parts";

export type Fn = Answers["functions"]["list"][number];

type Schema = NonNullable<Fn["args"]>;

/** An argument, and its control in a form. */
export interface ArgField {
  name: string;
  isRequired: boolean;
  /** `json` is for values that no other control can express. */
  control: "text" | "number" | "boolean" | "choice" | "json";
  choices: string[];
  /** A description of valid values, for people. */
  hint: string;
}

/** Returns the fields of a form for a JSON Schema of arguments. */
export function fieldsOf({ properties = {}, required = [] }: Schema): ArgField[] {
  return Object.entries(properties).map(([name, property]) => {
    const schema = withoutNull(typeof property === "object" ? property : {});
    const choices = (schema.enum ?? []).filter((choice) => typeof choice === "string");
    return {
      name,
      isRequired: required.includes(name),
      control: controlOf(schema, choices),
      choices,
      hint: hintOf(schema),
    };
  });
}

/** A nullable value gets the control of its other type. */
function withoutNull(schema: Schema): Schema {
  const options = schema.anyOf?.filter((option) => typeof option === "object" && option.type !== "null") ?? [];
  const [only] = options;
  return options.length === 1 && typeof only === "object" ? only : schema;
}

function controlOf({ type }: Schema, choices: string[]): ArgField["control"] {
  if (choices.length > 0) return "choice";
  if (type === "string") return "text";
  if (type === "number" || type === "integer") return "number";
  return type === "boolean" ? "boolean" : "json";
}

function hintOf({ type, format, minLength, maxLength, minimum, maximum, items, ...schema }: Schema): string {
  const bounds = [
    maxLength !== undefined && `${minLength ?? 0} to ${maxLength} characters`,
    rangeOf(minimum, maximum),
    schema.default !== undefined && `${JSON.stringify(schema.default)} by default`,
  ];
  const element = typeof items === "object" && !Array.isArray(items) ? ` of ${items.type ?? "values"}s` : "";
  return [`${format ?? type ?? "JSON"}${element}`, ...bounds].filter(Boolean).join(", ");
}

/** Describes a range. Leaves out bounds that only say that a number is a safe integer. */
function rangeOf(minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY): string {
  const [from, to] = [minimum > Number.MIN_SAFE_INTEGER, maximum < Number.MAX_SAFE_INTEGER];
  if (from && to) return `${minimum} to ${maximum}`;
  if (from) return `${minimum} or more`;
  return to ? `${maximum} or less` : "";
}

/** Converts the typed texts to arguments. Leaves out optional arguments that are empty. */
export function toArgs(fields: readonly ArgField[], texts: readonly string[]): Record<string, unknown> {
  const entries = fields.flatMap(({ name, isRequired, control }, index) => {
    const text = texts[index] ?? "";
    if (text === "" && !isRequired) return [];
    return [[name, parse(control, text)] as const];
  });
  return Object.fromEntries(entries);
}

/** Returns why a text is not valid for a control, or `true` when it is. */
export function check({ control, isRequired }: ArgField, text: string): string | true {
  if (text === "") return isRequired && control !== "text" ? "Needed" : true;
  try {
    parse(control, text);
    return true;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parse(control: ArgField["control"], text: string): unknown {
  if (control === "json") return JSON.parse(text);
  if (control === "boolean") return text === "true";
  if (control !== "number") return text;
  const number = Number(text);
  if (!Number.isFinite(number)) throw new Error(`${JSON.stringify(text)} is not a number`);
  return number;
}
