import { networkInterfaces } from "node:os";

/** Headers of pages. Files and HTTP actions have their own. docs/limits.md says why there is no script-src. */
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

/** Host names besides localhost under which the app may be opened in development: this machine's addresses, and tunnels. */
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
  // The Dockerfile uses this: a folder with everything that the server needs, without node_modules.
  output: process.env.NEXT_OUTPUT === "standalone" ? "standalone" : undefined,
  // `/_next/image` would decode uploaded files, and serve them even after they are deleted.
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
  // `npm test` checks types separately.
  typescript: { ignoreBuildErrors: process.env.TYPES_CHECKED === "1" },
  // Functions of `pages/api` load their packages as one file, instead of hundreds: a third of a cold start.
  bundlePagesRouterDependencies: true,
  // HTTP actions receive each path as it was sent. A redirect would break preflight requests.
  skipTrailingSlashRedirect: true,
  experimental: {
    // Writing a cache for the next build takes a quarter of the time.
    turbopackFileSystemCacheForBuild: process.env.FIRST_BUILD !== "1",
    // Loading every route at the start would double the time until the first answer, and keep unused routes in memory.
    preloadEntriesOnStart: false,
  },
};

export default config;
