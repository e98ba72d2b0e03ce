// Clients of Socket.IO for the Node scripts: each generation, each way to connect, and waits with a deadline.
"use strict";

const { soon } = require("./peers.cjs");

const GENERATIONS = ["1", "2", "3", "4"];
const WAYS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

const library = (generation) => require(`socket.io-client-${generation}`);

/** A client of a generation at an address, which has been told to connect in a way. */
function client(generation, address, way, options = {}) {
  const connect = library(generation);
  return connect(address, { transports: WAYS[way], forceNew: true, reconnection: false, ...options });
}

/** What a client is told next by an event: its arguments. */
const once = (socket, event) => soon(new Promise((resolve) => {
  const hear = (...all) => {
    socket.off(event, hear);
    resolve(all);
  };
  socket.on(event, hear);
}), `\`${event}\``);

/** Waits until a client is connected, and, where it may change to a WebSocket, has done so. */
async function connected(socket, way) {
  const failed = (error) => { socket.wrong = error; };
  ["connect_error", "error"].forEach((event) => socket.on(event, failed));
  await once(socket, "connect").catch((late) => { throw socket.wrong ?? late; });
  const { engine } = socket.io;
  if (way !== "upgrade" || engine.transport.name === "websocket") return;
  await soon(new Promise((resolve) => {
    engine.once("upgrade", resolve);
    if (engine.transport.name === "websocket") resolve();
  }), "the change to a WebSocket");
}

/** Says something and waits for the answer: its arguments. */
const asked = (socket, ...words) => soon(new Promise((resolve) => {
  socket.emit(...words, (...all) => resolve(all));
}), `the answer to ${words[0]}`);

module.exports = { GENERATIONS, WAYS, asked, client, connected, library, once };
