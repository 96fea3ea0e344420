import { acceptIssuers } from "~/server/auth/issuers";

// Whose Bearer tokens to accept, beside the app's own and AUTH_ISSUER's:
//   { issuer: "https://accounts.example.com", audience: "my-app" }
acceptIssuers([]);
