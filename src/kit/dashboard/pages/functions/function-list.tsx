import { Lock } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import type { Answers } from "../parts/api";

export type Fn = Answers["functions"]["list"][number];

export const kinds = { query: "Query", mutation: "Mutation", action: "Action", httpAction: "HTTP action" };

interface FunctionListProps {
  functions: readonly Fn[];
  chosen: string | null;
}

export function FunctionList({ functions, chosen }: FunctionListProps) {
  const [text, setText] = useState("");
  const shown = functions.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  return (
    <div className="grid gap-3">
      <input
        type="search"
        aria-label="Find a function"
        placeholder="Find a function"
        value={text}
        onChange={({ target }) => setText(target.value)}
        className="field"
      />
      <nav aria-label="Functions" className="overflow-hidden rounded-2xl border border-line bg-surface">
        <ul>
          {shown.map(({ name, kind, isInternal }) => (
            <li key={name} className="border-line not-first:border-t">
              <Link
                prefetch={false}
                href={{ pathname: "/dashboard/functions", query: { name } }}
                aria-current={name === chosen ? "true" : undefined}
                className="flex min-h-11 items-center gap-2 px-3 -outline-offset-2 hover:bg-sunken aria-[current]:bg-sunken"
              >
                <span className="wrap-anywhere min-w-0 flex-1 py-1 font-mono text-xs">{name}</span>
                {isInternal && (
                  <>
                    <Lock aria-hidden="true" className="size-3.5 flex-none text-muted" />
                    <span className="sr-only">Internal</span>
                  </>
                )}
                <span className="flex-none text-muted text-xs">{kinds[kind]}</span>
              </Link>
            </li>
          ))}
        </ul>
        {shown.length === 0 && <p className="p-4 text-center text-muted text-sm">No function is named so.</p>}
      </nav>
    </div>
  );
}
