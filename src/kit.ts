import { createKit } from "./kit/server";

/** The kit of this app. docs/settings.md lists the environment variables that it reads. */
export const kit = createKit({
  auth: {
    // The column of each model that holds the owner. When a visitor signs up, these rows become the account's.
    owners: { message: "owner", file: "owner", image: "uploadedBy" },
    // Further issuers whose Bearer tokens are accepted, besides the app itself and AUTH_ISSUER, for example
    //   { issuer: "https://accounts.example.com", audience: "my-app" }
    issuers: [],
    plugins: [
      // Plugins of Better Auth, each with its tables: see docs/recipes.
    ],
  },
});

/** The builders of functions. */
export const { query, mutation, action, internalQuery, internalMutation, internalAction, httpAction } = kit;
