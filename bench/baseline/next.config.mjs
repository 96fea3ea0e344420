/** @type {import("next").NextConfig} */
export default {
  poweredByHeader: false,
  compress: false,
  images: { localPatterns: [{ pathname: "/api/file" }], formats: ["image/avif", "image/webp"] },
};
