"use client";

import { useQuery } from "@tanstack/react-query";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { z } from "zod";
import { Failed, Loading } from "../../client/components/lists";
import { type Answers, DashboardPage, useTRPC } from "./parts";

type Document = Answers["settings"]["api"];
type Operation = Document["paths"][string][string];
type Schema = z.core.JSONSchema.BaseSchema;

interface ListedOperation {
  path: string;
  method: string;
  operation: Operation;
}

/** What clients can call, as `/api/openapi.json` describes it. */
export function Api() {
  const api = useQuery(useTRPC().dashboard.settings.api.queryOptions());
  const [text, setText] = useState("");
  return (
    <DashboardPage
      title="API"
      actions={
        <a
          href="/api/openapi.json"
          className="flex h-11 items-center text-accent text-sm underline-offset-2 hover:underline"
        >
          OpenAPI
        </a>
      }
    >
      {api.isError ? (
        <Failed title="The description could not be loaded" error={api.error} onRetry={() => void api.refetch()} />
      ) : api.isPending ? (
        <Loading>Loading the description…</Loading>
      ) : (
        <>
          <p className="max-w-prose pb-3 text-muted text-sm">
            {api.data.info.description} An upload URL needs no identity.{" "}
            <span className="wrap-anywhere font-mono text-xs">{api.data.servers[0]?.url}</span>
          </p>
          <input
            type="search"
            aria-label="Find a function or a path"
            placeholder="Find a function or a path"
            value={text}
            onChange={({ target }) => setText(target.value)}
            className="field mb-4 sm:max-w-sm"
          />
          {[...byTag(api.data, text.toLowerCase())].map(([tag, operations]) => (
            <section key={tag} aria-label={tag} className="pb-6">
              <h2 className="pb-2 font-semibold text-lg tracking-tight">{tag}</h2>
              <ul className="overflow-hidden rounded-2xl border border-line bg-surface">
                {operations.map((listed) => (
                  <li key={`${listed.method} ${listed.path}`} className="border-line not-first:border-t">
                    <OperationDetails {...listed} shared={api.data.components.schemas} />
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </>
      )}
    </DashboardPage>
  );
}

/** The operations with this text in their path or summary, by their first tag. */
function byTag({ paths }: Document, text: string): Map<string, ListedOperation[]> {
  const tags = new Map<string, ListedOperation[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!`${path} ${operation.summary}`.toLowerCase().includes(text)) continue;
      const tag = operation.tags[0] ?? "";
      tags.set(tag, [...(tags.get(tag) ?? []), { path, method, operation }]);
    }
  }
  return tags;
}

type Shared = Document["components"]["schemas"];

function OperationDetails({ path, method, operation, shared }: ListedOperation & { shared: Shared }) {
  const bodies = Object.entries(operation.requestBody?.content ?? {});
  const answers = Object.entries(operation.responses).filter(([status]) => status !== "default");
  return (
    <details className="group">
      <summary className="flex min-h-11 cursor-pointer list-none items-center gap-3 px-3 py-2 -outline-offset-2 hover:bg-sunken [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden="true" className="size-4 flex-none text-muted group-open:rotate-90" />
        <span className="w-12 flex-none font-medium text-muted text-xs uppercase">{method}</span>
        <span className="min-w-0 flex-1 sm:flex sm:items-baseline sm:gap-3">
          <span className="wrap-anywhere font-mono text-xs">{path}</span>
          <span className="block text-muted text-xs sm:ml-auto">{operation.summary}</span>
        </span>
      </summary>
      <div className="grid gap-4 border-line border-t px-4 py-4 sm:pl-10">
        {operation.parameters && (
          <Part title="Parameters">
            <Fields
              fields={operation.parameters.map(({ name, schema, required, description }) => ({
                name,
                schema: description ? { ...schema, description } : schema,
                isRequired: required,
              }))}
              shared={shared}
            />
          </Part>
        )}
        {bodies.map(([type, { schema }]) => (
          <Part key={type} title={type === "application/json" ? "Body, as JSON" : "Body"}>
            <SchemaView schema={schema} shared={shared} />
          </Part>
        ))}
        {answers.map(([status, { description, content }]) => (
          <Part key={status} title={`Answer ${status}`}>
            <p className="text-sm">{description}.</p>
            {Object.entries(content ?? {}).map(([type, { schema }]) => (
              <SchemaView key={type} schema={schema} shared={shared} />
            ))}
          </Part>
        ))}
      </div>
    </details>
  );
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div>
      <h3 className="pb-1 font-medium text-muted text-xs">{title}</h3>
      {children}
    </div>
  );
}

interface SchemaProps {
  schema: Schema | undefined;
  shared: Shared;
  depth?: number;
}

const maxDepth = 5;

/** A JSON Schema: the fields of an object, or the type of anything else. */
function SchemaView({ schema, shared, depth = 0 }: SchemaProps) {
  const found = resolved(schema, shared);
  const element = resolved(
    typeof found.items === "object" && !Array.isArray(found.items) ? found.items : undefined,
    shared,
  );
  const fields = found.properties ?? element.properties;
  const required = (found.properties ? found.required : element.required) ?? [];
  if (!fields || depth > maxDepth) return <p className="font-mono text-xs">{typeOf(schema, shared)}</p>;
  if (Object.keys(fields).length === 0) return <p className="text-muted text-sm">Nothing.</p>;
  return (
    <>
      {!found.properties && <p className="text-muted text-xs">A list of:</p>}
      <Fields
        depth={depth}
        shared={shared}
        fields={Object.entries(fields).map(([name, schema]) => ({
          name,
          schema: typeof schema === "object" ? schema : {},
          isRequired: required.includes(name),
        }))}
      />
    </>
  );
}

interface FieldsProps {
  fields: { name: string; schema: Schema; isRequired?: boolean }[];
  shared: Shared;
  depth?: number;
}

function Fields({ fields, shared, depth = 0 }: FieldsProps) {
  return (
    <ul className={depth > 0 ? "border-line border-l pl-3" : ""}>
      {fields.map(({ name, schema, isRequired }) => (
        <li key={name} className="py-1 text-sm">
          <span className="font-medium font-mono text-xs">{name}</span>{" "}
          <span className="wrap-anywhere font-mono text-muted text-xs">{typeOf(schema, shared)}</span>
          {!isRequired && <span className="text-muted text-xs"> (optional)</span>}
          {schema.description && <span className="block text-muted text-xs">{schema.description}</span>}
          {typeOf(schema, shared).startsWith("object") && (
            <SchemaView schema={schema} shared={shared} depth={depth + 1} />
          )}
        </li>
      ))}
    </ul>
  );
}

function resolved(schema: Schema | undefined, shared: Shared): Schema {
  const name = /^#\/components\/schemas\/(.+)$/.exec(schema?.$ref ?? "")?.[1];
  return (name === undefined ? schema : shared[name]) ?? {};
}

/** `string`, `"text" | "image"`, `object[]`, `integer from 1 to 100` */
function typeOf(schema: Schema | undefined, shared: Shared, depth = 0): string {
  const { enum: choices, const: only, anyOf, oneOf, type, items, format, minimum, maximum } = resolved(schema, shared);
  if (depth > maxDepth) return "…";
  if (choices) return choices.map((choice) => JSON.stringify(choice)).join(" | ");
  if (only !== undefined) return JSON.stringify(only);
  const options = anyOf ?? oneOf;
  if (options) return [...new Set(options.map((option) => typeOf(option, shared, depth + 1)))].join(" | ");
  if (type === "array") {
    return `${typeOf(typeof items === "object" && !Array.isArray(items) ? items : undefined, shared, depth + 1)}[]`;
  }
  if (type === undefined) return "anything";
  const isSafe = (bound: number | undefined) => bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  const bounds = [isSafe(minimum) && `from ${minimum}`, isSafe(maximum) && `to ${maximum}`];
  return [[type].flat().join(" | "), format && `(${format})`, ...bounds].filter(Boolean).join(" ");
}
