import type { CSSProperties } from "react";

/** The initials of a name, on a colour that depends on the name. Screen readers read the name beside it. */
export function Avatar({ name, className = "size-9" }: { name: string; className?: string }) {
  const style: CSSProperties & { "--hue": number } = { "--hue": hue(name) };
  return (
    <span aria-hidden="true" style={style} className={`avatar ${className}`}>
      {initials(name)}
    </span>
  );
}

function hue(name: string): number {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003;
  return (hash * 47) % 360;
}

/** `"Ada Lovelace"` → `"AL"`, `"User 1234"` → `"U1"`, `"ada"` → `"A"` */
function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends
    .map((word) => Array.from(word ?? "")[0] ?? "")
    .join("")
    .toUpperCase();
}
