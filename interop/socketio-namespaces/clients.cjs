// Stock clients in `/` and `/admin` at once, on one connection: rooms of the same name, broadcasts, ids, tokens, leaving.
// The server has two shards, so that polls meet sessions that live on the other one.
"use strict";

const { HERE, check, equal, fresh, run } = require("peers.cjs");
const { WAYS, asked, client, connected, library, once } = require("socketio.cjs");

run(async () => {
  for (const generation of ["2", "4"]) {
    for (const way of Object.keys(WAYS)) {
      await together(generation, way);
      await tokens(generation, way);
    }
  }
  await byAddress();
});

/** What a client shows in a namespace. */
const shown = (generation, token) => (generation === "4" ? { auth: { token } } : { query: { token } });

/** The event by which a client is told that it is not connected, and the words with it. */
const refusal = async (generation, socket) => {
  const [why] = await once(socket, generation === "4" ? "connect_error" : "error");
  return typeof why === "string" ? why : why.message;
};

/** A client in `/`, and what it is in `/admin`. */
async function both(generation, way) {
  const root = client(generation, `http://${HERE}`, way);
  const admin = root.io.socket("/admin", {});
  await Promise.all([connected(root, way), once(admin, "connect")]);
  return [root, admin];
}

/** Two of a generation and one of the other. */
async function together(generation, way) {
  const name = `${generation}, ${way}`;
  const other = generation === "4" ? "2" : "4";
  const [a, admin] = await both(generation, way);
  const [b, second] = await both(generation, way);
  const [c, third] = await both(other, "websocket");
  try {
    equal(`${name}: one connection`, [admin.io === a.io, admin.io.engine.id], [true, a.io.engine.id]);
    check(`${name}: two ids`, typeof admin.id === "string" && admin.id !== a.id, admin.id);
    const room = fresh();
    const roots = [a, b, c];
    const admins = [admin, second, third];
    for (const socket of [...roots, ...admins]) equal(`${name}: subscribe`, await asked(socket, "subscribe", room), []);
    const strays = [];
    for (const socket of roots) socket.on("data", (...said) => strays.push(["/", ...said]));
    for (const socket of admins) socket.on("data", (...said) => strays.push(["/admin", ...said]));

    const bytes = Buffer.from([0, 1, 0xff]);
    for (const said of [{ n: [1, null] }, "text", bytes, { photo: bytes }]) {
      const hearing = Promise.all(admins.map((socket) => once(socket, "data")));
      equal(`${name}: publish`, await asked(admin, "publish", room, said), []);
      equal(`${name}: heard in /admin`, await hearing, admins.map(() => [room, said]));
    }
    // A fence in `/`: had one of these been heard there, that was before.
    const fence = Promise.all(roots.map((socket) => once(socket, "data")));
    a.emit("publish", room, "in /");
    equal(`${name}: heard in /`, await fence, roots.map(() => [room, "in /"]));
    equal(`${name}: and nothing else`, [strays.filter(([where]) => where === "/").length, strays.length], [3, 15]);

    let own = 0;
    const wrong = [];
    admin.on("broadcast", () => { own += 1; });
    roots.forEach((socket) => socket.on("broadcast", (said) => wrong.push(said)));
    const all = Promise.all([second, third].map((socket) => once(socket, "broadcast")));
    equal(`${name}: broadcast`, await asked(admin, "broadcast", "admins"), []);
    equal(`${name}: heard by all in /admin`, await all, [["admins"], ["admins"]]);
    const everybody = Promise.all([a, c].map((socket) => once(socket, "broadcast")));
    equal(`${name}: broadcast in /`, await asked(b, "broadcast", "all"), []);
    await everybody;
    equal(`${name}: by nobody else`, [own, wrong], [0, ["all", "all"]]);

    // To one client: by its id there, and by no other.
    let told = once(second, "data");
    equal(`${name}: to one`, await asked(admin, "publish", second.id, "psst"), []);
    equal(`${name}: it hears`, await told, [second.id, "psst"]);
    told = once(third, "data");
    equal(`${name}: to one of the other generation`, await asked(admin, "publish", third.id, "psst"), []);
    equal(`${name}: that hears`, await told, [third.id, "psst"]);
    const before = strays.length;
    for (const id of [second.id, third.id]) await asked(a, "publish", id, "from elsewhere");
    for (const id of [b.id, c.id]) await asked(admin, "publish", id, "from elsewhere");
    const fences = Promise.all([b, c, second, third].map((socket) => once(socket, "data")));
    a.emit("publish", room, "fence");
    admin.emit("publish", room, "fence");
    await fences;
    equal(`${name}: nobody is reached from elsewhere`, strays.slice(before).filter(([, , said]) => said !== "fence"), []);

    await leaving(name, a, admin, [second, third], room);
    equal(`${name}: still one connection`, admin.io.engine.id, a.io.engine.id);
    const nope = a.io.socket("/nope", {});
    const no = refusal(generation, nope);
    nope.connect();
    equal(`${name}: no such namespace`, await no, "Invalid namespace");
    equal(`${name}: and all is as it was`, await asked(a, "subscribe", room), []);
  } finally {
    [a, b, c, admin, second, third].forEach((socket) => socket.close());
  }
}

/** Leaves `/admin`, and comes back: nothing is heard meanwhile, nor what had been subscribed to. */
async function leaving(name, root, admin, others, room) {
  let missed = 0;
  admin.on("data", () => { missed += 1; });
  admin.disconnect();
  equal(`${name}: in / it goes on`, await asked(root, "subscribe", room), []);
  let hearing = Promise.all(others.map((socket) => once(socket, "data")));
  others[0].emit("publish", room, "without it");
  await hearing;
  const back = once(admin, "connect");
  admin.connect();
  await back;
  hearing = Promise.all(others.map((socket) => once(socket, "data")));
  equal(`${name}: back`, await asked(admin, "publish", room, "back"), []);
  await hearing;
  equal(`${name}: who has left hears nothing`, missed, 0);
}

/** A token is good in its own virtual host. */
async function tokens(generation, way) {
  const name = `${generation}, ${way}`;
  const [root, admin] = await both(generation, way);
  try {
    admin.disconnect();
    for (const [token, words] of [["for the root", "the token is unknown or has expired"], ["for admins", null]]) {
      if (generation === "4") admin.auth = { token };
      else admin.query = `token=${encodeURIComponent(token)}`;
      const outcome = words === null ? once(admin, "connect").then(() => null) : refusal(generation, admin);
      admin.connect();
      equal(`${name}: in /admin with the token ${token}`, await outcome, words);
    }
    equal(`${name}: in /`, await asked(root, "subscribe", fresh()), []);
  } finally {
    [root, admin].forEach((socket) => socket.close());
  }
  const stranger = client(generation, `http://${HERE}`, way, shown(generation, "for admins"));
  equal(`${name}: in / with the token for admins`, await refusal(generation, stranger),
    "the token is unknown or has expired");
  stranger.close();
}

/** As applications do: two addresses, of which the library makes one connection. */
async function byAddress() {
  for (const generation of ["2", "4"]) {
    const connect = library(generation);
    const options = { reconnection: false };
    const [root, admin] = [connect(`http://${HERE}`, options), connect(`http://${HERE}/admin`, options)];
    try {
      await Promise.all([connected(root, "upgrade"), once(admin, "connect")]);
      equal(`${generation}: one connection by two addresses`, admin.io.engine.id, root.io.engine.id);
      const room = fresh();
      await asked(admin, "subscribe", room);
      const hearing = once(admin, "data");
      admin.emit("publish", room, 1);
      equal(`${generation}: heard`, await hearing, [room, 1]);
    } finally {
      [root, admin].forEach((socket) => socket.close());
    }
  }
}
