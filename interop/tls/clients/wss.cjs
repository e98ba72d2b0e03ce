// Node's `ws` over TLS: the rooms core, large and many. Started by messages.py, which says where.
"use strict";

const { WebSocket, Queue, check, equal, fresh, run } = require("peers.cjs");

async function enter() {
  const heard = new Queue();
  const ws = new WebSocket(`${process.env.CHAPPE_TLS}/`);
  ws.on("message", (data) => heard.push(data.toString()));
  ws.on("error", (error) => heard.push(`error: ${error.message}`));
  check("wss: greeted", JSON.parse(await heard.next("the greeting")) !== null);
  return { ws, heard };
}

run(async () => {
  const [one, two] = [await enter(), await enter()];
  const room = fresh();
  for (const peer of [one, two]) {
    peer.ws.send(JSON.stringify({ event: "subscribe", payload: [room] }));
    equal("wss: subscribed", await peer.heard.next("the answer"), JSON.stringify({ msg: `Subscribed to ${room}` }));
  }
  const big = JSON.stringify({ event: room, payload: "n".repeat(2_000_000) });
  one.ws.send(big);
  equal("wss: 2 MB come whole", (await two.heard.next("2 MB")) === big, true);
  equal("wss: and back", (await one.heard.next("2 MB")) === big, true);
  const all = Array.from({ length: 1000 }, (_, n) => JSON.stringify({ event: room, payload: n }));
  for (const message of all) two.ws.send(message);
  let same = true;
  for (const message of all) same = (await one.heard.next("the burst")) === message && same;
  equal("wss: a burst of 1000 comes in order", same, true);
  const closed = new Promise((resolve) => two.ws.on("close", (code) => resolve(code)));
  two.ws.close(1000);
  equal("wss: a close is answered", await closed, 1000);
  one.ws.terminate();
});
