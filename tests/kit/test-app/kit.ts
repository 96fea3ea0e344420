// With this import, the build names a component that imports a function by mistake.
import "server-only";
import { createKit } from "~/kit/server";

/** The kit of the app that the kit's tests call, instead of src/kit.ts. */
export const kit = createKit({
  auth: {
    // For each model, the column that holds the owner. When a visitor signs up, these rows become the account's.
    owners: { message: "owner", file: "owner", image: "uploadedBy" },
    // Issuers whose Bearer tokens are accepted, besides the app itself and AUTH_ISSUER, for example
    //   { issuer: "https://accounts.example.com", audience: "my-app" }
    issuers: [],
  },
});

/** The builders of functions. */
export const { query, mutation, action, internalQuery, internalMutation, internalAction, httpAction } = kit;
