// Stock clients of four generations, by polls, by WebSocket, and from one to the other: rooms, text, JSON, bytes,
// answers, broadcasts. The server has two shards, so that polls meet sessions that live on the other one.
"use strict";

const { HERE, Rooms, check, equal, fresh, run } = require("peers.cjs");
const { GENERATIONS, WAYS, asked, client, connected, once } = require("socketio.cjs");

run(async () => {
  for (const generation of GENERATIONS) {
    for (const way of Object.keys(WAYS)) await together(generation, way);
  }
  await many();
});

/** Two of a kind, a third of another generation, and a client of rooms. */
async function together(generation, way) {
  const name = `${generation}, ${way}`;
  const other = generation === "4" ? "2" : "4";
  const all = [client(generation, `http://${HERE}`, way), client(generation, `http://${HERE}`, way),
    client(other, `http://${HERE}`, "websocket")];
  const [a, b, c] = all;
  try {
    await Promise.all([connected(a, way), connected(b, way), connected(c, "websocket")]);
    const carried = way === "upgrade" ? "websocket" : way;
    equal(`${name}: connected`, [a, b].map((s) => s.io.engine.transport.name), [carried, carried]);
    const room = fresh();
    for (const socket of all) equal(`${name}: subscribe`, await asked(socket, "subscribe", room), []);
    const stranger = await Rooms.enter("/", { fenced: false });
    await stranger.subscribe(room);

    const heard = () => Promise.all(all.map((socket) => once(socket, "data")));
    const hears = async (what, said, told) => {
      const hearing = heard();
      const answer = asked(a, "publish", room, said);
      equal(`${name}: ${what}`, await hearing, all.map(() => [room, said]));
      equal(`${name}: ${what}, answered`, await answer, []);
      equal(`${name}: ${what}, elsewhere`, await stranger.hear(), JSON.stringify({ event: room, payload: told ?? said }));
    };
    // Polls of 1.x encode text twice: what is beyond ASCII comes right to their like only.
    const beyond = generation === "1" && way === "polling" ? "e" : "é😀";
    await hears("JSON", { n: [1, null, beyond], t: true });
    await hears("text", "text, with \"quotes\" and\nlines");
    await hears("much text", "x".repeat(300_000));

    const bytes = Buffer.from([0, 1, 2, 0xff, 0xfe]);
    const isBytes = (value) => Buffer.isBuffer(value) && value.equals(bytes);
    let hearing = heard();
    a.emit("publish", room, bytes);
    check(`${name}: bytes`, (await hearing).every(([where, value]) => where === room && isBytes(value)));
    equal(`${name}: bytes, elsewhere`, await stranger.hear(), JSON.stringify({ event: room, payload: { $binary: "AAEC//4=" } }));
    hearing = heard();
    c.emit("publish", room, { photo: bytes, by: "c" });
    check(`${name}: bytes within`, (await hearing).every(([, value]) => value.by === "c" && isBytes(value.photo)));
    await stranger.hear();

    hearing = heard();
    stranger.say({ event: room, payload: { from: "rooms" } });
    equal(`${name}: heard from rooms`, await hearing, all.map(() => [room, { from: "rooms" }]));
    await stranger.hear();

    const others = Promise.all([b, c].map((socket) => once(socket, "broadcast")));
    let own = 0;
    a.on("broadcast", () => { own += 1; });
    a.emit("broadcast", "to all");
    equal(`${name}: broadcast`, await others, [["to all"], ["to all"]]);
    equal(`${name}: who broadcasts does not hear it`, [await asked(a, "unsubscribe", room), own], [[], 0]);

    // A fence: what comes next is not for who has left.
    let missed = 0;
    a.on("data", () => { missed += 1; });
    const left = once(b, "data");
    equal(`${name}: publish by who has left`, await asked(a, "publish", room, "left"), []);
    await left;
    equal(`${name}: who has left hears nothing`, [await asked(a, "subscribe", fresh()), missed], [[], 0]);
    check(`${name}: an error is said`, typeof (await asked(a, "publish", "", "x"))[0].error === "string");
    stranger.end();
  } finally {
    all.forEach((socket) => socket.close());
  }
}

/** So many that both shards have some: all hear one order. */
async function many() {
  const ways = Object.keys(WAYS);
  const all = Array.from({ length: 24 }, (_, i) =>
    [client(GENERATIONS[i % 4], `http://${HERE}`, ways[i % 3]), ways[i % 3]]);
  await Promise.all(all.map(([socket, way]) => connected(socket, way)));
  const room = fresh();
  const heard = all.map(() => []);
  const whole = all.map(([socket], i) => new Promise((resolve) => {
    socket.on("data", (_, value) => heard[i].push(value) === 10 * all.length && resolve());
  }));
  await Promise.all(all.map(([socket]) => asked(socket, "subscribe", room)));
  all.forEach(([socket], i) => {
    for (let n = 0; n < 10; n += 1) socket.emit("publish", room, `${i}/${n}`);
  });
  await Promise.all(whole);
  check("24 clients hear 240 messages each in one order", heard.every((h) => h.join() === heard[0].join()), heard);
  for (let i = 0; i < all.length; i += 1) {
    const own = heard[0].filter((value) => value.startsWith(`${i}/`)).join();
    if (own !== Array.from({ length: 10 }, (_, n) => `${i}/${n}`).join()) throw new Error(`order of ${i}: ${own}`);
  }
  check("which keeps that of each speaker", true);
  all.forEach(([socket]) => socket.close());
}
