import { useQuery } from "@tanstack/react-query";
import { formatBytes } from "../../../client/components/format-bytes";
import { useTRPC } from "../parts/api";

const number = new Intl.NumberFormat("en");

/** How many files there are, and how large together. */
export function Totals() {
  const { data } = useQuery(useTRPC().dashboard.files.total.queryOptions());
  const totals = [
    { name: "Files", value: data && number.format(data.files) },
    { name: "Stored", value: data && formatBytes(data.bytes) },
  ];
  return (
    <dl className="mb-4 flex gap-3">
      {totals.map(({ name, value }) => (
        <div key={name} className="min-w-36 rounded-2xl border border-line bg-surface px-4 py-3">
          <dt className="text-muted text-xs">{name}</dt>
          <dd className="font-semibold text-xl tabular-nums">{value ?? "…"}</dd>
        </div>
      ))}
    </dl>
  );
}
