import { TRPC_ERROR_CODES_BY_KEY } from "@trpc/server/rpc";
import { z } from "zod";
import { plainJsonPath } from "../functions/plain-json";
import { type AnyFunction, allFunctions, definition, isPublic } from "../functions/server-function";
import { withRequestId } from "../log/scope";
import type { HttpRouter, Route } from "./http-router";
import { publicOrigin } from "./origin";

/**
 * Serves the OpenAPI 3.1 description of what clients can call: public functions, HTTP actions, uploads, and how to get a token.
 * Arguments and results are described by the functions' zod types.
 */
export const serveOpenApi = (http: HttpRouter) =>
  withRequestId((request) =>
    Response.json(describeApi(http, publicOrigin(request.headers)), { headers: { "Cache-Control": "no-store" } }),
  );

type Content = Record<string, { schema?: Schema }>;

/** What can be called at a path with a method. */
interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  security?: object[];
  parameters?: { name: string; in: string; required?: boolean; schema: Schema; description?: string }[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, { description?: string; content?: Content; $ref?: string }>;
}

/** The OpenAPI description of the app, as JSON. */
export function describeApi(http: HttpRouter, origin: string) {
  const functions = [...allFunctions()].filter(([, fn]) => isPublic(fn));
  const args = schemasOf(functions, "Args");
  const results = schemasOf(functions, "Result");
  const paths: Record<string, Record<string, Operation>> = {};
  for (const [name, fn] of functions) {
    const types = { args: schemaOf(args.of[name]), result: schemaOf(results.of[name]) };
    paths[`${plainJsonPath}${name.replace(".", "/")}`] = { post: functionOperation(name, fn, types) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: `API of ${new URL(origin).host}`,
      version: "1",
      description: "Functions take JSON and answer with JSON. Most require an identity: a Bearer token or a session.",
    },
    servers: [{ url: origin }],
    security: [{ bearer: [] }, { session: [] }, {}],
    paths: { ...paths, ...httpActionPaths(http.getRoutes()), ...kitPaths },
    components: {
      schemas: { ...args.shared, ...results.shared },
      responses: { Error: errorOfCall, UploadError: errorOfUpload },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: `${origin.startsWith("https:") ? "__Secure-" : ""}better-auth.session_token`,
        },
      },
    },
  };
}

type Schema = z.core.JSONSchema.BaseSchema;

/** `true` is the schema of anything. */
const schemaOf = (schema: Schema | boolean | undefined): Schema => (typeof schema === "object" ? schema : {});

/**
 * The JSON Schemas of all arguments or all results, and what they share. A value that JSON Schema has no word for is any value.
 */
function schemasOf(functions: [string, AnyFunction][], what: "Args" | "Result") {
  const types = functions.flatMap(([name, fn]) => {
    const { args, returns } = fn[definition];
    const type = what === "Args" ? args : returns;
    return type ? [[name, type] as const] : [];
  });
  const schema = z.toJSONSchema(z.object(Object.fromEntries(types)), {
    io: what === "Args" ? "input" : "output",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      // Results have dates as texts. Plain JSON has no arguments that are dates.
      if (what === "Result" && zodSchema._zod.def.type === "date") {
        Object.assign(jsonSchema, { type: "string", format: "date-time" });
      }
    },
  });
  // References are to the schema itself, of which parts stand elsewhere from here on.
  const moved: Schema = JSON.parse(
    JSON.stringify(schema).replaceAll('"$ref":"#/$defs/', `"$ref":"#/components/schemas/${what}.`),
  );
  const shared: Record<string, Schema> = {};
  for (const [name, part] of Object.entries(moved.$defs ?? {})) shared[`${what}.${name}`] = schemaOf(part);
  return { of: moved.properties ?? {}, shared };
}

const json = (schema: Schema): Content => ({ "application/json": { schema } });
const anyBody: Content = { "*/*": {} };
const string: Schema = { type: "string" };

function functionOperation(
  name: string,
  fn: AnyFunction,
  { args, result }: { args: Schema; result: Schema },
): Operation {
  const { kind, args: shape } = fn[definition];
  return {
    operationId: name,
    tags: [name.slice(0, name.indexOf("."))],
    summary: `The ${kind} ${name}`,
    requestBody: { required: !shape.safeParse({}).success, content: json(args) },
    responses: {
      200: { description: "The result. Where there is none, `null`", content: json(result) },
      default: { $ref: "#/components/responses/Error" },
    },
  };
}

/** HTTP actions take and answer with anything. A prefix has one parameter, for all that follows it. */
function httpActionPaths(routes: Route[]) {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const { path, pathPrefix, method } of routes) {
    const url = `/http${path ?? `${pathPrefix}{rest}`}`;
    const rest = { name: "rest", in: "path", required: true, schema: string };
    paths[url] = {
      ...paths[url],
      [method.toLowerCase()]: {
        operationId: `${method} ${url}`,
        tags: ["HTTP actions"],
        summary: `The HTTP action ${method} ${path ?? `${pathPrefix}*`}`,
        ...(pathPrefix !== undefined && { parameters: [rest] }),
        ...(method !== "GET" && { requestBody: { content: anyBody } }),
        responses: {
          200: { description: "What the action answers", content: anyBody },
          default: { $ref: "#/components/responses/Error" },
        },
      },
    };
  }
  return paths;
}

const errorSchema = (code: Schema, more: Record<string, Schema>, required: string[]): Schema => ({
  type: "object",
  properties: { code, message: { type: "string", description: "For people" }, ...more },
  required: ["code", "message", ...required],
});

const errorOfCall = {
  description: "Why a function or an HTTP action did not answer. An HTTP action may answer with something else",
  content: json(
    errorSchema(
      { type: "string", enum: Object.keys(TRPC_ERROR_CODES_BY_KEY) },
      { requestId: { type: "string", description: "Finds the request in the log" } },
      ["requestId"],
    ),
  ),
};

const errorOfUpload = {
  description: "Why a file was not stored",
  content: json(
    errorSchema(
      { type: "string", examples: ["FileTooLarge"] },
      {
        storageId: {
          type: "string",
          description: "The file that the URL made already, with the code StorageTokenUsed",
        },
      },
      [],
    ),
  ),
};

const stored = {
  200: {
    description: "The file is durable",
    content: json({ type: "object", properties: { storageId: string }, required: ["storageId"] }),
  },
  default: { $ref: "#/components/responses/UploadError" },
};
const noSecurity = [{}];
const tokenParameter = {
  name: "token",
  in: "query",
  required: true,
  schema: string,
  description: "It is part of the URL that a function such as generateUploadUrl returns",
};

/** The endpoints that the kit serves itself. docs/protocol.md describes all of them. */
const kitPaths: Record<string, Record<string, Operation>> = {
  "/api/storage/upload": {
    post: {
      operationId: "upload",
      tags: ["Uploads"],
      summary: "Stores one file: the raw body",
      security: noSecurity,
      parameters: [tokenParameter],
      requestBody: { required: true, content: anyBody },
      responses: stored,
    },
  },
  "/api/storage/upload/direct": {
    post: {
      operationId: "beginDirectUpload",
      tags: ["Uploads"],
      summary:
        "Says where to send a file's bytes, or null where they go through the app; signs more parts of an upload",
      security: noSecurity,
      parameters: [tokenParameter],
      requestBody: {
        required: true,
        content: json({
          anyOf: [
            {
              type: "object",
              properties: {
                size: { type: "integer", minimum: 0 },
                contentType: string,
                sha256: string,
                firstParts: { type: "integer", minimum: 1 },
              },
              required: ["size"],
            },
            {
              type: "object",
              properties: {
                receipt: string,
                parts: { type: "array", items: { type: "integer", minimum: 1 } },
                unreachable: { type: "boolean" },
              },
              required: ["receipt"],
            },
          ],
        }),
      },
      responses: {
        200: {
          description: "How to send and complete it",
          content: json({
            type: "object",
            properties: {
              direct: { type: ["object", "null"] },
              parts: { type: "array", items: { type: "object" } },
              sent: { type: "array", items: { type: "integer" } },
              reason: { type: ["string", "null"] },
            },
          }),
        },
        default: { $ref: "#/components/responses/UploadError" },
      },
    },
  },
  "/api/storage/upload/complete": {
    post: {
      operationId: "completeDirectUpload",
      tags: ["Uploads"],
      summary: "Completes a file whose bytes are in the store",
      security: noSecurity,
      requestBody: {
        required: true,
        content: json({
          type: "object",
          properties: { receipt: string, answers: { type: "array", items: string } },
          required: ["receipt", "answers"],
        }),
      },
      responses: stored,
    },
  },
  "/api/auth/sign-in/anonymous": {
    post: {
      operationId: "signInAsVisitor",
      tags: ["Identity"],
      summary: "Begins the session of a visitor, as a cookie",
      security: noSecurity,
      requestBody: { required: true, content: json({ type: "object" }) },
      responses: { 200: { description: "The session's cookie is set" } },
    },
  },
  "/api/auth/token": {
    get: {
      operationId: "getToken",
      tags: ["Identity"],
      summary: "Makes a Bearer token of a session, for 15 minutes",
      security: [{ session: [] }],
      responses: {
        200: {
          description: "The token",
          content: json({ type: "object", properties: { token: string }, required: ["token"] }),
        },
        401: { description: "There is no session" },
      },
    },
  },
};
