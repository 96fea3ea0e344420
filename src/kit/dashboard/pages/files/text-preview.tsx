import { useQuery } from "@tanstack/react-query";
import { formatBytes } from "../../../client/components/format-bytes";
import { Failed, Loading } from "../../../client/components/list-state";

/** Bytes that are shown. */
const limit = 64 * 1024;

/** The beginning of a file as text, whatever it would be if it were opened. */
export function TextPreview({ url, size }: { url: string; size: number }) {
  const text = useQuery({
    queryKey: ["file text", url],
    queryFn: async ({ signal }) => {
      const response = await fetch(url, { headers: { Range: `bytes=0-${limit - 1}` }, signal });
      if (!response.ok) throw new Error(`The file answers ${response.status}`);
      return response.text();
    },
  });
  if (text.isError)
    return <Failed title="The text could not be loaded" error={text.error} onRetry={() => void text.refetch()} />;
  if (text.data === undefined) return <Loading>Loading the text…</Loading>;
  return (
    <>
      <pre
        // Reached by keyboards too, to scroll it.
        tabIndex={0}
        className="wrap-anywhere mt-2 max-h-80 overflow-auto whitespace-pre-wrap rounded-xl bg-sunken p-4 font-mono text-xs"
      >
        {text.data}
      </pre>
      {size > limit && <p className="mt-1 text-muted text-xs">These are the first {formatBytes(limit)}.</p>}
    </>
  );
}
