import { Search, X } from "lucide-react";
import { type FormEvent, useId } from "react";

export interface Filters {
  /** Only this one. */
  storageId: string;
  kind: "" | keyof typeof kinds;
  /** Days, as `2026-11-21` in the zone of whoever looks; both count. */
  from: string;
  to: string;
}

const kinds = {
  image: "Images",
  video: "Video",
  audio: "Audio",
  text: "Text",
  application: "Applications",
  none: "Without a type",
};

const isKind = (text: string): text is keyof typeof kinds => text in kinds;

/** The first millisecond of a day. */
export const startOf = (day: string) => new Date(`${day}T00:00`).getTime();

export function dayAfter(day: string): number {
  const date = new Date(`${day}T00:00`);
  date.setDate(date.getDate() + 1);
  return date.getTime();
}

interface FileFiltersProps {
  filters: Filters;
  onChange: (filters: Filters) => void;
}

export function FileFilters({ filters, onChange }: FileFiltersProps) {
  const id = useId();

  function lookUp(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const storageId = String(new FormData(event.currentTarget).get("id")).trim();
    onChange({ ...filters, storageId });
  }

  return (
    <div className="mb-4 grid gap-3 sm:grid-cols-2 lg:grid-cols-[minmax(0,1fr)_11rem_12rem_12rem]">
      <form key={filters.storageId} onSubmit={lookUp} className="grid gap-1">
        <label htmlFor={`${id}-id`} className="font-medium text-muted text-xs">
          Storage id
        </label>
        <span className="flex gap-1">
          <input
            id={`${id}-id`}
            name="id"
            defaultValue={filters.storageId}
            autoComplete="off"
            spellCheck={false}
            placeholder="Look one up"
            className="field min-w-0 flex-1 font-mono"
          />
          <button type="submit" aria-label="Look up" title="Look up" className="icon-button">
            <Search aria-hidden="true" className="size-4.5" />
          </button>
          {filters.storageId && (
            <button
              type="button"
              aria-label="Show all files"
              title="Show all files"
              onClick={() => onChange({ ...filters, storageId: "" })}
              className="icon-button"
            >
              <X aria-hidden="true" className="size-4.5" />
            </button>
          )}
        </span>
      </form>
      <div className="grid gap-1">
        <label htmlFor={`${id}-kind`} className="font-medium text-muted text-xs">
          Type
        </label>
        <select
          id={`${id}-kind`}
          value={filters.kind}
          onChange={({ target: { value } }) =>
            onChange({ ...filters, storageId: "", kind: isKind(value) ? value : "" })
          }
          className="field"
        >
          <option value="">All types</option>
          {Object.entries(kinds).map(([kind, label]) => (
            <option key={kind} value={kind}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {(["from", "to"] as const).map((end) => (
        <div key={end} className="grid gap-1">
          <label htmlFor={`${id}-${end}`} className="font-medium text-muted text-xs">
            {end === "from" ? "Uploaded from" : "Uploaded until"}
          </label>
          <input
            id={`${id}-${end}`}
            type="date"
            value={filters[end]}
            onChange={({ target: { value } }) => onChange({ ...filters, storageId: "", [end]: value })}
            className="field"
          />
        </div>
      ))}
    </div>
  );
}
