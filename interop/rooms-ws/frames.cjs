// Sizes, fragments and closes.
"use strict";

const net = require("node:net");
const { HERE, Rooms, check, equal, fresh, run, soon } = require("peers.cjs");

const MIB = 1 << 20;

/** A frame of exactly so many bytes. */
function sized(room, bytes) {
  const empty = `{"event":"${room}","payload":""}`;
  return `{"event":"${room}","payload":"${"x".repeat(bytes - empty.length)}"}`;
}

run(async () => {
  const a = await Rooms.enter();
  const b = await Rooms.enter();
  const room = fresh("chat");
  await a.subscribe(room);
  await b.subscribe(room);

  for (const [what, bytes] of [["1.9 MiB", Math.floor(1.9 * MIB)], ["2 MiB", 2 * MIB]]) {
    const frame = sized(room, bytes);
    a.say(frame);
    const same = [(await a.hear()) === frame, (await b.hear()) === frame];
    equal(`${what} are relayed whole`, same, [true, true]);
  }

  const big = await Rooms.enter();
  big.say(sized(room, 2 * MIB + 1));
  equal("one byte more than 2 MiB is closed with 1009", (await soon(big.closed, "a close")).code, 1009);
  const huge = await Rooms.enter();
  huge.say(sized(room, 8 * MIB));
  equal("so are 8 MiB, though they are still being sent", (await soon(huge.closed, "a close")).code, 1009);
  const parts = await Rooms.enter();
  for (let i = 0; i < 4; i++) parts.ws.send("x".repeat(MIB), { fin: i === 3 });
  equal("and fragments that are too big together", (await soon(parts.closed, "a close")).code, 1009);
  await b.nothingMore("nobody heard of those", a);

  const frame = `{"event":"${room}","payload":"ünï 🗼 fragmented"}`;
  const bytes = Buffer.from(frame);
  for (let i = 0; i < bytes.length; i++) {
    a.ws.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 });
    // A ping may come between fragments.
    if (i === 20) a.ws.ping("between");
  }
  equal("a message in single bytes is one message", [await a.hear(), await b.hear()], [frame, frame]);
  a.ws.send(frame.slice(0, 10), { fin: false });
  a.ws.send("", { fin: false });
  a.ws.send(frame.slice(10), { fin: true });
  equal("so is one with an empty fragment", [await a.hear(), await b.hear()], [frame, frame]);

  for (const [code, reason] of [[1000, "bye"], [1001, ""], [4321, "of my own – ü"]]) {
    const leaver = await Rooms.enter();
    leaver.ws.close(code, reason);
    const closed = await soon(leaver.closed, "the close");
    equal(`a close of ${code} is answered with ${code}`, closed.code, code);
  }
  const leaver = await Rooms.enter();
  leaver.ws.close();
  equal("a close without a code is answered without one", (await soon(leaver.closed, "the close")).code, 1005);

  const rude = await Rooms.enter();
  rude.ws._socket.write(Buffer.from([0x81, 0x02, 0x68, 0x69]));
  equal("a frame without a mask is closed with 1002", (await soon(rude.closed, "the close")).code, 1002);
  const broken = await Rooms.enter();
  broken.ws._socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]));
  equal("text that is no UTF-8 is closed with 1007", (await soon(broken.closed, "the close")).code, 1007);

  // A whole head and a frame behind it in one packet: nobody may speak WebSocket before the 101.
  const [host, port] = HERE.split(":");
  const socket = net.connect(Number(port), host);
  const masked = (text) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
  const head = [`GET / HTTP/1.1`, `Host: ${HERE}`, `Upgrade: websocket`, `Connection: keep-alive, Upgrade`,
    `Sec-WebSocket-Version: 13`, `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==`, "", ""].join("\r\n");
  const eager = fresh("eager");
  socket.write(Buffer.concat([Buffer.from(head), masked(`{"event":"subscribe","payload":["${eager}"]}`)]));
  let seen = "";
  socket.on("data", (data) => seen += data.toString("latin1"));
  await soon(new Promise((resolve) => socket.on("end", resolve)), "the end of a connection that is too eager");
  check("a frame sent right behind the head is refused", seen.startsWith("HTTP/1.1 400 "), seen);
  socket.destroy();

  const polite = net.connect(Number(port), host);
  polite.write(head);
  const accepted = new Promise((resolve) => polite.once("data", (data) => resolve(data.toString("latin1"))));
  const said = await soon(accepted, "the 101");
  check("the key is answered as RFC 6455 says", /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i.test(said), said);
  polite.destroy();

  await b.nothingMore("nobody was hurt by any of this", a);
});
