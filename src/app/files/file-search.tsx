import type { Sort, View } from "./file-list-query";

const sorts: Record<Sort, string> = { newest: "Newest", oldest: "Oldest", name: "Name", largest: "Largest" };

/** The field that searches files by name, and the choice of their order. */
export function FileSearch({ view, onChange }: { view: View; onChange: (view: View) => void }) {
  return (
    <search className="mb-3 flex gap-2">
      <input
        type="search"
        aria-label="Search by name"
        placeholder="Search by name"
        maxLength={255}
        onChange={({ currentTarget }) => onChange({ ...view, search: currentTarget.value.trim() })}
        className="field min-w-0 flex-1"
      />
      <select
        aria-label="Sort by"
        value={view.sort}
        onChange={({ currentTarget }) => {
          const sort = Object.keys(sorts).find((key): key is Sort => key === currentTarget.value);
          if (sort) onChange({ ...view, sort });
        }}
        className="field w-auto flex-none"
      >
        {Object.entries(sorts).map(([sort, label]) => (
          <option key={sort} value={sort}>
            {label}
          </option>
        ))}
      </select>
    </search>
  );
}
