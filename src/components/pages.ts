/** What the header leads to. */
export const pages = [
  { href: "/chat", label: "Chat" },
  { href: "/files", label: "Files" },
  { href: "/gallery", label: "Gallery" },
];
