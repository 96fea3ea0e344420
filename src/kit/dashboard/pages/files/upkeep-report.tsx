import { useQuery } from "@tanstack/react-query";
import { Timestamp } from "../../../client/components/timestamp";
import { useTRPC } from "../parts/api";

/** What an operator should know of upkeep: steps that fail, and columns that keep files without a foreign key. */
export function UpkeepReport() {
  const trpc = useTRPC().dashboard.files;
  const { data } = useQuery(trpc.upkeep.queryOptions());
  const failing = Object.entries(data?.steps ?? {}).flatMap(([step, { failedSince, error }]) =>
    failedSince === undefined ? [] : [{ step, failedSince, error }],
  );
  const loose = data?.looseReferences ?? [];
  return (
    <>
      {failing.map(({ step, failedSince, error }) => (
        <p key={step} role="alert" className="wrap-anywhere mt-3 text-danger text-sm">
          The step {step} of upkeep fails since <Timestamp at={failedSince} />: {error}
        </p>
      ))}
      {loose.map(({ column, files }) => (
        <p key={column} className="wrap-anywhere mt-3 text-sm">
          <span className="font-mono text-xs">{column}</span> names {files === 1 ? "a file" : `${files} files`} without
          a foreign key. They are kept; give the column one.
        </p>
      ))}
    </>
  );
}
