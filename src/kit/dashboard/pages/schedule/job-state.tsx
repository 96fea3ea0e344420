import type { Answers } from "../parts/api";

type State = Answers["schedule"]["jobs"]["page"][number]["state"];

const labels: Record<State, string> = {
  pending: "Pending",
  inProgress: "Running",
  success: "Done",
  failed: "Failed",
  canceled: "Canceled",
};

/** How a job stands; why it failed is its title. */
export function JobState({ state, error }: { state: State; error: string | null }) {
  return (
    <span
      title={error ?? undefined}
      className={`font-medium text-xs ${state === "failed" ? "text-danger" : "text-muted"}`}
    >
      {labels[state]}
    </span>
  );
}
