import { networkInterfaces } from "node:os";

/** What pages say to browsers. Files and HTTP actions have headers of their own; docs/limits.md says why no script-src. */
const pageHeaders = [
  {
    key: "Content-Security-Policy",
    value: "frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'self'",
  },
  { key: "X-Content-Type-Options", value: "nosniff" },
  { key: "Referrer-Policy", value: "strict-origin-when-cross-origin" },
  { key: "Permissions-Policy", value: "camera=(), microphone=(), geolocation=()" },
];
const hsts = { key: "Strict-Transport-Security", value: "max-age=31536000" };

/** By what the app in development may be called besides localhost: by this machine's addresses, and through tunnels. */
const developmentNames = [
  ...Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
  "*.local",
  "*.app.github.dev",
  "*.gitpod.io",
  "*.ngrok-free.app",
  "*.ngrok.app",
  "*.trycloudflare.com",
  "*.loca.lt",
  "*.ts.net",
];

/** @type {import("next").NextConfig} */
const config = {
  // The Dockerfile asks for it: all that the server needs, without node_modules.
  output: process.env.NEXT_OUTPUT === "standalone" ? "standalone" : undefined,
  // `/_next/image` would fetch and decode strangers' files, and go on serving them after they are deleted.
  images: { unoptimized: true },
  poweredByHeader: false,
  allowedDevOrigins: developmentNames,
  headers: async () => [
    { source: "/((?!api/|http/).*)", headers: pageHeaders },
    ...(process.env.NODE_ENV === "production"
      ? [
          {
            source: "/:path*",
            has: [{ type: /** @type {const} */ ("header"), key: "x-forwarded-proto", value: "https" }],
            headers: [hsts],
          },
        ]
      : []),
  ],
  // `npm test` has a check of its own.
  typescript: { ignoreBuildErrors: process.env.TYPES_CHECKED === "1" },
  // HTTP actions receive their paths as they were sent; a 308 would break preflights.
  skipTrailingSlashRedirect: true,
  experimental: {
    // A cache for the next build takes a quarter of this one.
    turbopackFileSystemCacheForBuild: process.env.FIRST_BUILD !== "1",
    // Loading every route at the start doubles the time until the first answer, and keeps unused routes in memory.
    preloadEntriesOnStart: false,
  },
};

export default config;
