import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { startInTurns } from "~/kit/http/watch-connections";

/** A server, and who sent the requests that it began to serve, in that order. */
function open() {
  const begun: string[] = [];
  const server = createServer((request) => void begun.push(request.headers.authorization ?? ""));
  startInTurns(server);
  const receive = (who: string): Socket => {
    const request = new IncomingMessage(new Socket());
    request.headers.authorization = who;
    server.emit("request", request, new ServerResponse(request));
    return request.socket;
  };
  return { begun, receive };
}

test("requests begin in turns by session: whoever sends one does not wait behind whoever sends a hundred", async () => {
  const { begun, receive } = open();
  for (let n = 0; n < 100; n++) receive("eve");
  receive("ann");
  receive("bob");
  for (let n = 0; n < 3; n++) await turn();
  expect(begun).toEqual(["eve", "ann", "bob"]);
  while (begun.length < 102) await turn();
  expect(begun.filter((who) => who === "eve")).toHaveLength(100);
});

test("one request begins in a turn of the event loop, and of one session they keep their order", async () => {
  const { begun, receive } = open();
  receive("a");
  receive("b");
  expect(begun).toEqual([]);
  await turn();
  expect(begun).toEqual(["a"]);
  await turn();
  expect(begun).toEqual(["a", "b"]);
  // The queue of this session was empty, and starts again.
  receive("c");
  await turn();
  expect(begun).toEqual(["a", "b", "c"]);
});

test("a request whose client went away before its turn does not begin", async () => {
  const { begun, receive } = open();
  receive("ann");
  receive("eve").destroy();
  for (let n = 0; n < 3; n++) await turn();
  expect(begun).toEqual(["ann"]);
});
