import { register } from "node:module";

// node tests/demos/openapi/types.mjs
//
// Reads an OpenAPI description and writes its TypeScript types. openapi-typescript makes them with the programming interface of
// TypeScript 6, which TypeScript 7 does not have; @ts-morph/common has a copy.
const resolve = `export const resolve = (name, context, next) =>
  next(name === "typescript" ? "@ts-morph/common/dist/typescript.js" : name, context);`;
register(`data:text/javascript,${encodeURIComponent(resolve)}`, import.meta.url);
const { default: openapiTS, astToString } = await import("openapi-typescript");

let text = "";
for await (const chunk of process.stdin) text += chunk;
process.stdout.write(astToString(await openapiTS(text)));
