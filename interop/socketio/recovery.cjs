// Connections are cut, as tunnels and sleeping lids cut them: stock clients come back to their rooms by themselves, by
// every way, and have heard all that was said meanwhile, in order and once.
"use strict";

const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { check, equal, fresh, run } = require("peers.cjs");
const { freePort, serve } = require("browser.cjs");
const { WAYS, asked, client, once } = require("socketio.cjs");

const ROUNDS = 6;
const OPTIONS = { reconnection: true, reconnectionDelay: 30, reconnectionDelayMax: 60 };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What stands between clients and the server, and can be cut. */
class Tunnel {
  static async dig(to) {
    const tunnel = new Tunnel();
    tunnel.pairs = new Set();
    tunnel.server = net.createServer((near) => {
      const pair = { near, far: net.connect(to, "127.0.0.1") };
      tunnel.pairs.add(pair);
      for (const [from, into] of [[pair.near, pair.far], [pair.far, pair.near]]) {
        from.on("data", (bytes) => into.write(bytes)).on("error", () => {});
        from.on("close", () => { if (!pair.cut) { into.destroy(); tunnel.pairs.delete(pair); } });
      }
    });
    await new Promise((resolve) => tunnel.server.listen(0, "127.0.0.1", resolve));
    tunnel.port = tunnel.server.address().port;
    return tunnel;
  }

  /** Cuts all that there is. Where it is silent, the server is not told. */
  cut(silent) {
    for (const pair of this.pairs) {
      pair.cut = true;
      pair.near.destroy();
      if (!silent) pair.far.destroy();
    }
    if (!silent) this.pairs.clear();
  }

  fill() {
    this.cut(false);
    this.server.close();
  }
}

run(async () => {
  const port = await freePort();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "recovery-"));
  const config = path.join(folder, "chappe.toml");
  fs.writeFileSync(config, "admin = { address = \"off\" }\n[dialect.socketio]\nrecovery = true\nping_interval = 500\nping_timeout = 500\n");
  const server = await serve(port, "--shards", "2", "--config", config);
  try {
    for (const way of Object.keys(WAYS)) await cutOff(way, port);
    await elder(port);
  } finally {
    await server.end();
    fs.rmSync(folder, { recursive: true });
  }
});

async function cutOff(way, port) {
  const tunnel = await Tunnel.dig(port);
  const rooms = [fresh(), fresh()];
  const speaker = client("4", `http://127.0.0.1:${port}`, "websocket");
  const all = [1, 2, 3, 4].map(() => client("4", `http://127.0.0.1:${tunnel.port}`, way, OPTIONS));
  const heard = all.map((socket) => {
    const words = [];
    socket.on("data", (room, word) => words.push([rooms.indexOf(room), word]));
    socket.on("broadcast", (word) => words.push(["all", word]));
    return words;
  });
  const ids = [];
  const [anew, returns] = [[], []];
  try {
    await Promise.all([once(speaker, "connect"), ...all.map((socket) => once(socket, "connect"))]);
    all.forEach((socket, i) => {
      ids[i] = socket.id;
      socket.on("connect", () => (socket.recovered ? returns : anew).push(i));
    });
    // The last has heard nothing when it is cut off for the first time.
    for (const socket of all) for (const room of rooms) await asked(socket, "subscribe", room);
    // While nobody speaks every client waits for something, so that all notice that they are cut off.
    await pause(100);
    await cut(tunnel, all, false);
    const said = [];
    let goesOn = true;
    const speaking = (async () => {
      for (let n = 0; goesOn; n += 1) {
        const to = [0, 1, 0, "all"][n % 4];
        said.push([to, n]);
        if (to === "all") speaker.emit("broadcast", n); else speaker.emit("publish", rooms[to], n);
        await pause(2);
      }
    })();
    for (let round = 0; round < ROUNDS; round += 1) {
      await pause(100 + 50 * round);
      await cut(tunnel, all, round % 2 === 1);
    }
    goesOn = false;
    await speaking;
    await asked(speaker, "publish", rooms[0], "the end");
    said.push([0, "the end"]);
    await Promise.all(all.map((socket, i) => (heard[i].at(-1)?.[1] === "the end" ? 0 : ended(socket))));
    equal(`${way}: nobody began anew`, anew, []);
    check(`${way}: they came back ${returns.length} times`, returns.length >= all.length, returns);
    equal(`${way}: under the ids that they had`, all.map((socket) => socket.id), ids);
    heard.forEach((words, i) => {
      const wrong = words.findIndex((word, n) => JSON.stringify(word) !== JSON.stringify(said[n]));
      check(`${way}: client ${i} has heard all, in order and once`, words.length === said.length && wrong < 0,
        { heard: words.length, said: said.length, wrong, at: words[wrong], not: said[wrong] });
    });
    // Who can be written to is there again.
    const psst = once(all[0], "data");
    await asked(speaker, "publish", ids[0], "psst");
    equal(`${way}: what is said to it alone it hears`, (await psst).slice(0, 2), [ids[0], "psst"]);
    // Who leaves does not come back.
    const [leaver] = all;
    leaver.disconnect();
    const connected = once(leaver, "connect");
    leaver.connect();
    await connected;
    equal(`${way}: who has left begins anew`, [leaver.recovered, leaver.id === ids[0]], [false, false]);
  } finally {
    [speaker, ...all].forEach((socket) => socket.close());
    tunnel.fill();
  }
}

/** Cuts all clients off, and waits until they are back. Who polls and had just been answered does not notice. */
async function cut(tunnel, all, silent) {
  tunnel.cut(silent);
  await pause(20);
  await Promise.all(all.map((socket) => socket.connected || once(socket, "connect")));
}

/** Hears the last word. */
const ended = (socket) => new Promise((resolve, reject) => {
  const late = setTimeout(() => reject(new Error("the end was not heard")), 5000);
  socket.on("data", (_, word) => { if (word === "the end") { clearTimeout(late); resolve(); } });
});

/** Libraries that know nothing of all this live beside it. */
async function elder(port) {
  for (const generation of ["2", "3"]) {
    const socket = client(generation, `http://127.0.0.1:${port}`, "websocket");
    const room = fresh();
    await once(socket, "connect");
    await asked(socket, "subscribe", room);
    const hearing = once(socket, "data");
    socket.emit("publish", room, "tea");
    const words = await hearing;
    // Version 3 speaks the revision in which there are offsets.
    equal(`${generation}: hears`, words.slice(0, 2), [room, "tea"]);
    equal(`${generation}: offsets`, words.length, generation === "2" ? 2 : 3);
    socket.close();
  }
}
