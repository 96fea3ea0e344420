import type { StoredFile } from "./use-stored-files";

/** Rows that are shown of one table at most; the server tells of no more. */
const most = 5;

/** In which tables rows refer to a file, and how many; with names where rows have them. */
export function FileReferences({ references }: { references: StoredFile["references"] }) {
  if (references.length === 0) return <span className="text-muted">nothing</span>;
  const columns = new Map<string, typeof references>();
  for (const reference of references) {
    const name = `${reference.table}.${reference.column}`;
    columns.set(name, [...(columns.get(name) ?? []), reference]);
  }
  return (
    <ul className="grid">
      {[...columns].map(([name, rows]) => (
        <li key={name} className="max-w-64 truncate" title={rows.map(({ row, label }) => label ?? row).join(", ")}>
          <span className="font-mono text-xs">{name}</span>{" "}
          <span className="text-muted text-xs">
            {rows[0]?.label ?? (rows.length < most ? rows.length : `${most} or more`)}
          </span>
        </li>
      ))}
    </ul>
  );
}
