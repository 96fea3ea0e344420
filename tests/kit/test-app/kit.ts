// A component that imports a function is told so by name, instead of by what the function needs.
import "server-only";
import { createKit } from "~/kit/server";

/** The kit of the app that the kit's tests call, instead of src/kit.ts. */
export const kit = createKit({
  auth: {
    // By model, the column that says whose a row is: these become an account's when its visitor signs up.
    owners: { message: "owner", file: "owner", image: "uploadedBy" },
    // Whose Bearer tokens to accept, beside the app's own and AUTH_ISSUER's:
    //   { issuer: "https://accounts.example.com", audience: "my-app" }
    issuers: [],
  },
});

/** What functions are made with. */
export const { query, mutation, action, internalQuery, internalMutation, internalAction, httpAction } = kit;
