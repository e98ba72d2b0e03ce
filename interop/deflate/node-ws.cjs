// Node's `ws` compresses and is compressed for; who does not want it hears the same.
"use strict";

const { Rooms, check, equal, fresh, run, soon } = require("peers.cjs");

const MIB = 1 << 20;

/** Bytes that came over the socket. */
const bytes = (peer) => peer.ws._socket.bytesRead;

run(async () => {
  const always = { perMessageDeflate: { threshold: 0 } };
  const stock = await Rooms.enter();
  const eager = await Rooms.enter("/", always);
  const plain = await Rooms.enter("/", { perMessageDeflate: false });
  const small = await Rooms.enter("/", { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 9 } });
  const all = [stock, eager, plain, small];
  const agreed = all.map((peer) => peer.ws._extensions["permessage-deflate"]?.params);
  check("a stock client agrees", agreed[0] && !("server_max_window_bits" in agreed[0]), agreed[0]);
  equal("one that does not offer it does not", plain.ws.extensions, "");
  equal("a window of 10 bits is agreed to as one of 9", agreed[3]?.server_max_window_bits, 9);
  for (const i of [0, 1, 3]) {
    const { server_no_context_takeover: server, client_no_context_takeover: client } = agreed[i];
    equal("each message stands for itself", [server, client], [true, true]);
  }

  const room = fresh("chat");
  for (const peer of all) await peer.subscribe(room);
  const frame = (payload) => JSON.stringify({ event: room, payload });
  const payloads = {
    "nothing": "",
    "a word": "hello",
    "300 bytes": "hello there ".repeat(25),
    "10 KB": "the same again, ".repeat(640),
    "unicode": "ünïcödé 🗼 ".repeat(200),
    "noise": require("node:crypto").randomBytes(4000).toString("base64"),
    "1.9 MiB": "0123456789".repeat(199_000),
  };
  for (const [what, payload] of Object.entries(payloads)) {
    for (const [who, speaker] of [["eagerly", eager], ["plainly", plain], ["with a small window", small]]) {
      speaker.say(frame(payload));
      const heard = await Promise.all(all.map((peer) => peer.hear()));
      equal(`${what}, said ${who}, is heard by all`, heard.map((h) => h === frame(payload)), [true, true, true, true]);
    }
  }

  const before = all.map(bytes);
  for (let i = 0; i < 20; i++) plain.say(frame(`${i} ${"wonderful ".repeat(400)}`));
  await Promise.all(all.map((peer) => peer.hearAll(20)));
  const took = all.map((peer, i) => bytes(peer) - before[i]);
  check(`compressed: ${took[0]} bytes instead of ${took[2]}`, took[0] * 10 < took[2] && took[1] === took[0], took);

  eager.ws.send("[", { fin: false });
  eager.ws.send("1,", { fin: false });
  eager.ws.ping();
  eager.ws.send("2]", { fin: true });
  const parts = frame("in parts ".repeat(50));
  for (let i = 0; i < parts.length; i += 100) eager.ws.send(parts.slice(i, i + 100), { fin: i + 100 >= parts.length });
  equal("a compressed message in fragments is one message", await plain.hear(), parts);
  eager.say(Buffer.from(frame("as bytes ".repeat(50))));
  await Promise.all([stock, small].map((peer) => peer.hear()));
  equal("compressed bytes are words too", await plain.hear(), frame("as bytes ".repeat(50)));

  const bomber = await Rooms.enter("/", always);
  bomber.say("\0".repeat(50 * MIB));
  equal("50 MB in 50 KB are closed with 1009", (await soon(bomber.closed, "a close")).code, 1009);
  await plain.nothingMore("and reach nobody", stock);
});
