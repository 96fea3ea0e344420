/** @type {import("next").NextConfig} */
const config = {
  // The Dockerfile asks for it: all that the server needs, without node_modules.
  output: process.env.NEXT_OUTPUT === "standalone" ? "standalone" : undefined,
  // `/_next/image` would fetch and decode strangers' files, and go on serving them after they are deleted.
  images: { unoptimized: true },
  poweredByHeader: false,
  // `npm test` has a check of its own.
  typescript: { ignoreBuildErrors: process.env.TYPES_CHECKED === "1" },
  // HTTP actions receive their paths as they were sent; a 308 would break preflights.
  skipTrailingSlashRedirect: true,
  // A cache for the next build takes a quarter of this one.
  experimental: { turbopackFileSystemCacheForBuild: process.env.FIRST_BUILD !== "1" },
};

export default config;
