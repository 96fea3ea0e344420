/** The name of a file in one line. When there is no room for it, its end stays visible, with its extension. */
export function ShortName({ name }: { name: string }) {
  const [, stem = name, end = ""] = /^(.+?)(.{0,4}\.\w{1,8})$/s.exec(name) ?? [];
  return (
    <span className="flex min-w-0">
      <span className="truncate whitespace-pre">{stem}</span>
      <span className="flex-none whitespace-pre">{end}</span>
    </span>
  );
}
