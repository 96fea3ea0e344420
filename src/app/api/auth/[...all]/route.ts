import { serveAuth } from "~/server/auth/serve-auth";

export { serveAuth as GET, serveAuth as POST };
