// Loads the app for commands that run its functions.

export { app } from "../src/functions/index";
export { operatorOf } from "../src/kit/operator";
