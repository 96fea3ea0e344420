import { describe, expect, test } from "vitest";
import { allowsRange, evaluatePreconditions } from "~/kit/storage/serve";

const etag = '"5891b5b5"';
const validators = { etag, lastModified: Date.UTC(2026, 0, 2, 3, 4, 5) };

const same = "Fri, 02 Jan 2026 03:04:05 GMT";
const before = "Fri, 02 Jan 2026 03:04:04 GMT";
const after = "Fri, 02 Jan 2026 03:04:06 GMT";

const evaluate = (headers: Record<string, string>) => evaluatePreconditions(new Headers(headers), validators);

describe("evaluatePreconditions, one header", () => {
  test.each([
    // If-Match compares strongly (RFC 9110 §13.1.1).
    ["If-Match", etag, 200],
    ["If-Match", "*", 200],
    ["If-Match", `"other", ${etag}`, 200],
    ["If-Match", `"with,comma",${etag}`, 200],
    ["If-Match", `,, ${etag} ,`, 200],
    ["If-Match", '"other"', 412],
    ["If-Match", `W/${etag}`, 412],
    ["If-Match", "", 412],
    ["If-Match", "5891b5b5", 412],
    ["If-Match", `w/${etag}`, 412],
    ["If-Match", `W/ ${etag}`, 412],
    ["If-Match", `x${etag}`, 412],
    ["If-Match", `${etag}x`, 412],
    ["If-Match", `"a"${etag}`, 412],
    ["If-Match", `"${etag}"`, 412],
    ["If-Match", `*, ${etag}`, 412],
    ["If-Match", '"5891b5b5', 412],
    ["If-Match", etag.toUpperCase(), 412],
    // If-None-Match compares weakly (§13.1.2).
    ["If-None-Match", etag, 304],
    ["If-None-Match", `W/${etag}`, 304],
    ["If-None-Match", "*", 304],
    ["If-None-Match", ` * `, 304],
    ["If-None-Match", `"other", W/${etag}`, 304],
    ["If-None-Match", `"other",${etag},"third"`, 304],
    ["If-None-Match", '"other"', 200],
    ["If-None-Match", 'W/"other"', 200],
    ["If-None-Match", "", 200],
    ["If-None-Match", "5891b5b5", 200],
    ["If-None-Match", `w/${etag}`, 200],
    ["If-None-Match", `"${etag}"`, 200],
    ["If-None-Match", `"a"${etag}`, 200],
    ["If-None-Match", `*, ${etag}`, 200],
    ["If-None-Match", '""', 200],
    ["If-None-Match", '"\u00ff"', 200],
    // If-Modified-Since (§13.1.3).
    ["If-Modified-Since", same, 304],
    ["If-Modified-Since", after, 304],
    ["If-Modified-Since", before, 200],
    ["If-Modified-Since", "Friday, 02-Jan-26 03:04:05 GMT", 304],
    ["If-Modified-Since", "Friday, 02-Jan-26 03:04:04 GMT", 200],
    ["If-Modified-Since", "Fri Jan  2 03:04:05 2026", 304],
    ["If-Modified-Since", "Fri Jan  2 03:04:04 2026", 200],
    ["If-Modified-Since", "yesterday", 200],
    ["If-Modified-Since", "", 200],
    ["If-Modified-Since", `${after}, ${after}`, 200],
    ["If-Modified-Since", String(validators.lastModified), 200],
    // If-Unmodified-Since (§13.1.4).
    ["If-Unmodified-Since", same, 200],
    ["If-Unmodified-Since", after, 200],
    ["If-Unmodified-Since", before, 412],
    ["If-Unmodified-Since", "Friday, 02-Jan-26 03:04:04 GMT", 412],
    ["If-Unmodified-Since", "Fri Jan  2 03:04:04 2026", 412],
    ["If-Unmodified-Since", "yesterday", 200],
    ["If-Unmodified-Since", "", 200],
    ["If-Unmodified-Since", `${before}, ${before}`, 200],
  ])("%s: %s → %i", (name, value, status) => {
    expect(evaluate({ [name]: value })).toBe(status);
  });

  test.each([
    ["tags", '"x", '.repeat(3000)],
    ["quotes", '"'.repeat(15_001)],
    ["commas", ",".repeat(15_000)],
    ["spaces", `x${" ".repeat(15_000)}x`],
  ])("If-Match full of %s → 412", (_, value) => {
    expect(evaluate({ "If-Match": value })).toBe(412);
  });
});

describe("evaluatePreconditions, all combinations", () => {
  const values = {
    "If-Match": { none: undefined, holds: etag, fails: '"other"' },
    "If-Unmodified-Since": { none: undefined, holds: same, fails: before, garbage: "soon" },
    "If-None-Match": { none: undefined, holds: '"other"', fails: etag },
    "If-Modified-Since": { none: undefined, holds: before, fails: same, garbage: "soon" },
  };
  const any = ["none", "holds", "fails", "garbage"];
  const ignored = ["none", "garbage"];

  /** The steps of RFC 9110 §13.2.2: If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since; the first line counts. */
  const steps: [string[], string[], string[], string[], number][] = [
    [["fails"], any, any, any, 412],
    [["none"], ["fails"], any, any, 412],
    [["holds"], any, ["fails"], any, 304],
    [["none"], ["holds", ...ignored], ["fails"], any, 304],
    [["holds"], any, ["holds"], any, 200],
    [["none"], ["holds", ...ignored], ["holds"], any, 200],
    [any, any, ["none"], ["fails"], 304],
    [any, any, ["none"], ["holds", ...ignored], 200],
  ];

  const combinations = Object.entries(values["If-Match"]).flatMap(([im, ifMatch]) =>
    Object.entries(values["If-Unmodified-Since"]).flatMap(([ius, ifUnmodifiedSince]) =>
      Object.entries(values["If-None-Match"]).flatMap(([inm, ifNoneMatch]) =>
        Object.entries(values["If-Modified-Since"]).map(([ims, ifModifiedSince]) => ({
          names: [im, ius, inm, ims] as const,
          headers: {
            "If-Match": ifMatch,
            "If-Unmodified-Since": ifUnmodifiedSince,
            "If-None-Match": ifNoneMatch,
            "If-Modified-Since": ifModifiedSince,
          },
        })),
      ),
    ),
  );

  test.each(combinations)("$names", ({ names: [im, ius, inm, ims], headers }) => {
    const step = steps.find(([a, b, c, d]) => a.includes(im) && b.includes(ius) && c.includes(inm) && d.includes(ims));
    const sent = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
    expect(evaluate(Object.fromEntries(sent))).toBe(step?.at(-1));
  });
});

describe("allowsRange", () => {
  test.each([
    // If-Range: one strong tag, or exactly the date (RFC 9110 §13.1.5).
    [undefined, true],
    [etag, true],
    [same, true],
    ["Friday, 02-Jan-26 03:04:05 GMT", true],
    ["Fri Jan  2 03:04:05 2026", true],
    [`W/${etag}`, false],
    ['"other"', false],
    [`${etag}, "other"`, false],
    [`${etag}, ${etag}`, false],
    [`x${etag}`, false],
    ["*", false],
    ["5891b5b5", false],
    ["", false],
    [before, false],
    [after, false],
    ["soon", false],
  ])("If-Range: %s → %s", (value, expected) => {
    const headers = new Headers(value === undefined ? {} : { "If-Range": value });
    expect(allowsRange(headers, validators)).toBe(expected);
  });
});
