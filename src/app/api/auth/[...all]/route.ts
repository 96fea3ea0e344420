import owners from "~/functions/owners";
import { serveAuth } from "~/server/auth/serve-auth";

const handle = serveAuth(owners);

export { handle as GET, handle as POST };
