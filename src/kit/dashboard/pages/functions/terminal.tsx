import { CopyButton } from "../parts/copy-button";

/** A command to copy. */
export function Terminal({ command }: { command: string }) {
  return (
    <div className="mt-5">
      <div className="flex items-center justify-between">
        <h3 className="font-medium text-muted text-xs">From a terminal</h3>
        <CopyButton text={command} label="Copy the curl command" />
      </div>
      <pre
        // Reached by keyboards too, to scroll it.
        tabIndex={0}
        className="overflow-x-auto rounded-xl bg-sunken p-3 font-mono text-xs"
      >
        {command}
      </pre>
    </div>
  );
}
