/** The pages that the header links. */
export const pages = [
  { href: "/chat", label: "Chat" },
  { href: "/files", label: "Files" },
  { href: "/gallery", label: "Gallery" },
];
