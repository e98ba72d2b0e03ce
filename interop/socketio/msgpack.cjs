// Stock clients with socket.io-msgpack-parser, by polls, by WebSocket, and from one to the other: among themselves, and
// with clients in JSON both ways. A client of Engine.IO 3 hears them too.
"use strict";

const parser = require("socket.io-msgpack-parser");
const { HERE, Rooms, check, equal, fresh, run, soon } = require("peers.cjs");
const { freePort, serve } = require("browser.cjs");
const { WAYS, asked, client, connected, once } = require("socketio.cjs");

run(async () => {
  for (const generation of ["3", "4"]) {
    for (const way of Object.keys(WAYS)) await together(generation, way);
  }
  await refused();
  process.env.CHAPPE__DIALECT__SOCKETIO__RECOVERY = "true";
  const port = await freePort();
  const server = await serve(port, "--shards", "2");
  try {
    for (const way of Object.keys(WAYS)) await back(`http://127.0.0.1:${port}`, way);
  } finally {
    await server.end();
  }
});

const BYTES = Buffer.from([0, 1, 0x82, 0xff, 0xfe]);

/** Values as text, with bytes by their digits: equal text is equal values. */
const shown = (values) => JSON.stringify(values, (key, value) =>
  value?.type === "Buffer" ? `bytes ${Buffer.from(value.data).toString("hex")}` : value);

/** Two in msgpack, one in JSON of the same generation, one of Engine.IO 3, and a client of rooms. */
async function together(generation, way) {
  const name = `${generation}, ${way}`;
  const at = `http://${HERE}`;
  const stranger = await Rooms.enter("/", { fenced: false });
  const all = [client(generation, at, way, { parser }), client(generation, at, way, { parser }),
    client(generation, at, way), client("2", at, "websocket")];
  const [a, b, json, old] = all;
  try {
    await Promise.all([connected(a, way), connected(b, way), connected(json, way), connected(old, "websocket")]);
    check(`${name}: connected, by an id`, [a, b].every((socket) => socket.id.length === json.id.length));
    const room = fresh();
    for (const socket of all) equal(`${name}: subscribe`, await asked(socket, "subscribe", room), []);
    await stranger.subscribe(room);

    const hears = async (what, speaker, said, told, elsewhere = told) => {
      const hearing = Promise.all(all.map((socket) => once(socket, "data")));
      equal(`${name}: ${what}, answered`, await asked(speaker, "publish", room, said), []);
      for (const values of await hearing) equal(`${name}: ${what}`, shown(values), shown([room, told]));
      equal(`${name}: ${what}, elsewhere`, await stranger.hear(), JSON.stringify({ event: room, payload: elsewhere }));
    };
    const numbers = [0, 127, 128, -32, -33, 65536, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1, 1.5, 0.1, 1.5e-300];
    const values = { numbers, "é": ["ü😀", "", null, true, false, {}, []], long: "x".repeat(70_000) };
    const within = { photo: BYTES, more: [{ none: Buffer.alloc(0) }] };
    const crossed = { photo: { $binary: BYTES.toString("base64") }, more: [{ none: { $binary: "" } }] };
    for (const [who, speaker] of Object.entries({ msgpack: a, JSON: json, "Engine.IO 3": old })) {
      await hears(`values from ${who}`, speaker, values, values);
      await hears(`bytes from ${who}`, speaker, BYTES, BYTES, { $binary: BYTES.toString("base64") });
      await hears(`bytes within, from ${who}`, speaker, within, within, crossed);
    }
    const date = new Date(1_700_000_000_123);
    await hears("what JSON cannot say", a, [date, NaN, undefined, { no: undefined, d: date }],
      [date.toISOString(), null, null, { d: date.toISOString() }]);

    const hearing = Promise.all(all.map((socket) => once(socket, "data")));
    stranger.say({ event: room, payload: { from: ["rooms", 1.25] } });
    for (const heard of await hearing) equal(`${name}: heard from rooms`, heard, [room, { from: ["rooms", 1.25] }]);
    await stranger.hear();

    const others = Promise.all([b, json, old].map((socket) => once(socket, "broadcast")));
    a.emit("broadcast", { to: "all", bytes: BYTES });
    for (const heard of await others) equal(`${name}: broadcast`, shown(heard), shown([{ to: "all", bytes: BYTES }]));
    const own = once(b, "data");
    a.emit("publish", b.id, "for b");
    equal(`${name}: to one client`, await own, [b.id, "for b"]);
    check(`${name}: an error is said`, typeof (await asked(a, "publish", "", "x"))[0].error === "string");
    const ended = soon(new Promise((resolve) => a.once("disconnect", resolve)), "the end");
    a.disconnect();
    equal(`${name}: disconnected`, await ended, "io client disconnect");
  } finally {
    all.forEach((socket) => socket.close());
    stranger.end();
  }
}

/** What the server refuses, it refuses in msgpack. */
async function refused() {
  const nowhere = client("4", `http://${HERE}/nowhere`, "websocket", { parser });
  const [error] = await once(nowhere, "connect_error");
  equal("a namespace that there is not", error.message, "Invalid namespace");
  nowhere.close();
}

/** Who was cut off comes back, and is told what was said meanwhile, once. */
async function back(at, way) {
  const options = { parser, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
  const [a, json] = [client("4", at, way, options), client("4", at, "websocket")];
  try {
    await Promise.all([connected(a, way), connected(json, "websocket")]);
    const room = fresh();
    for (const socket of [a, json]) await asked(socket, "subscribe", room);
    const { id } = a;
    const heard = [];
    let all;
    const whole = new Promise((resolve) => { all = resolve; });
    a.on("data", (_, value) => heard.push(value) === 4 && all());
    const first = once(a, "data");
    json.emit("publish", room, "first");
    await first;
    const again = once(a, "connect");
    a.io.engine.close();
    await asked(json, "publish", room, { photo: BYTES });
    await asked(json, "publish", room, "third");
    await again;
    equal(`${way}: who comes back is who it was`, [a.recovered, a.id], [true, id]);
    await asked(json, "publish", room, "fourth");
    await soon(whole, "what was missed");
    equal(`${way}: and hears all, once`, shown(heard), shown(["first", { photo: BYTES }, "third", "fourth"]));
    equal(`${way}: and is heard`, await asked(a, "publish", room, "fifth"), []);
  } finally {
    [a, json].forEach((socket) => socket.close());
  }
}
