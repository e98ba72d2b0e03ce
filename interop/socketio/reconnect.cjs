// The server goes and comes: stock clients of every generation and way come back by themselves, and go on.
"use strict";

const { check, equal, fresh, run } = require("peers.cjs");
const { freePort, serve } = require("browser.cjs");
const { GENERATIONS, WAYS, asked, client, once } = require("socketio.cjs");

const OPTIONS = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };

run(async () => {
  const port = await freePort();
  let server = await serve(port, "--shards", "2");
  const room = fresh();
  const all = GENERATIONS.flatMap((generation) => Object.keys(WAYS).map((way) => {
    const socket = client(generation, `http://127.0.0.1:${port}`, way, OPTIONS);
    return { name: `${generation}, ${way}`, socket };
  }));
  try {
    await Promise.all(all.map(({ socket }) => entered(socket, room)));
    await heard(all, room, "before");
    const gone = all.map(({ socket }) => once(socket, "disconnect"));
    await server.end();
    const reasons = await Promise.all(gone);
    check("all are told that the server has gone", reasons.every(([reason]) => /transport|disconnect/.test(reason)), reasons);
    const back = all.map(({ socket }) => once(socket, "connect"));
    server = await serve(port, "--shards", "2");
    await Promise.all(back);
    await Promise.all(all.map(({ socket }) => entered(socket, room)));
    await heard(all, room, "after");
  } finally {
    all.forEach(({ socket }) => socket.close());
    await server.end();
  }
});

/** Subscribes, as a client must each time: what it had subscribed to went with the connection. */
async function entered(socket, room) {
  equal("subscribed", await asked(socket, "subscribe", room), []);
}

/** One speaks, and all hear it. */
async function heard(all, room, word) {
  const hearing = all.map(({ socket }) => once(socket, "data"));
  all[0].socket.emit("publish", room, word);
  const words = await Promise.all(hearing);
  all.forEach(({ name }, i) => equal(`${name}: hears ${word} it`, words[i], [room, word]));
}
