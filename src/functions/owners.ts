import { owners } from "~/server/auth/owners";

/** By model, the column that says whose a row is: these become an account's when its visitor signs up. */
export default owners({ message: "owner", file: "owner", image: "uploadedBy" });
