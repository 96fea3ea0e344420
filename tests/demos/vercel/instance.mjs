import { createServer } from "node:http";
import { createRequire } from "node:module";

// An instance of a function, as Vercel runs it: node instance.mjs <file of the handler>. It tells its parent when it begins
// and when it has nothing left to do, its `waitUntil` included: the parent then suspends it.

const [handlerFile = ""] = process.argv.slice(2);
let underWay = 0;
let begun = 0;

/** @param {Promise<unknown>} work */
function waitUntil(work) {
  underWay += 1;
  const end = () => {
    underWay -= 1;
    if (underWay === 0) process.send?.({ served: begun });
  };
  work.then(end, end);
}

Reflect.set(globalThis, Symbol.for("@vercel/request-context"), { get: () => ({ waitUntil }) });

const handler = createRequire(import.meta.url)(handlerFile);
const server = createServer((request, response) => {
  begun += 1;
  waitUntil(new Promise((resolve) => response.once("close", resolve)));
  // What the handler itself throws is its own to answer.
  Promise.resolve(handler(request, response)).catch((error) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" ? address?.port : 0 });
});
