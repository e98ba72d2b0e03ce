// Messaging with stock clients of four generations, by polls and by WebSocket: who shows a token hears what is for its
// owner, from whichever dialect, and what all others say; a token that is none, or that expires, ends the connection.
"use strict";

const { createHmac } = require("node:crypto");
const { HERE, check, equal, run } = require("peers.cjs");
const { GENERATIONS, client, once } = require("socketio.cjs");

const SECRET = "interop only: a secret of forty-one bytes";
const URL = `http://${HERE}`;

run(async () => {
  for (const generation of GENERATIONS) {
    for (const way of ["polling", "websocket"]) await owners(generation, way);
  }
  // They wait, and can do so together.
  const all = GENERATIONS.flatMap((generation) => ["polling", "websocket"].map((way) => endings(generation, way)));
  await Promise.all(all);
  equal("any other path is well", (await fetch(`${URL}/health`)).status, 200);
});

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token that says this. */
function token(claims, secret = SECRET) {
  const said = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${said}.${createHmac("sha256", secret).update(said).digest("base64url")}`;
}

/** Somebody who has shown who he is. */
async function shown(generation, way, claims) {
  const socket = client(generation, URL, way);
  const known = once(socket, "authenticated");
  socket.on("connect", () => socket.emit("authenticate", { token: token(claims) }));
  equal(`${generation}, ${way}: authenticated, without a word`, await known, []);
  return socket;
}

async function owners(generation, way) {
  const name = `${generation}, ${way}`;
  const one = await shown(generation, way, { user_id: 1, host: "example.org" });
  const two = await shown(generation, way, { user_id: 2, host: "example.org" });
  const nobody = client(generation, URL, way);
  await once(nobody, "connect");
  let leaked = 0;
  nobody.on("message", () => { leaked += 1; });

  const all = [once(one, "message"), once(two, "message")];
  one.emit("message", { hi: [1, "é"] });
  for (const [said] of await Promise.all(all)) {
    equal(`${name}: one says it to all`, said, { from: one.id, data: { hi: [1, "é"] } });
  }
  const post = async (channel, payload, grants) => {
    const headers = { Authorization: `Bearer ${token({ user_id: "service", grants })}`, "Content-Type": "application/json" };
    return (await fetch(`${URL}/c/${channel}`, { method: "POST", headers, body: JSON.stringify(payload) })).status;
  };
  // Whoever may come back is told where each message stands, behind all else.
  const said = (words) => {
    if (generation < "3") return words;
    check(`${name}: an offset`, /^[0-9a-f]+-[0-9a-f]+$/.test(words.at(-1)), words);
    return words.slice(0, -1);
  };
  const own = once(two, "message");
  equal(`${name}: a service may speak to a user`, await post("user(2)", "for two", ["WRITE user(*)"]), 202);
  equal(`${name}: who hears it`, said(await own), ["for two"]);
  const both = [once(one, "message"), once(two, "message")];
  equal(`${name}: and to a site`, await post("site(example.org)", "for both", ["WRITE site(*)"]), 202);
  for (const heard of await Promise.all(both)) equal(`${name}: they both hear it`, said(heard), ["for both"]);
  equal(`${name}: nobody else may`, await post("user(2)", "no", []), 403);
  equal(`${name}: who has shown nothing hears nothing`, leaked, 0);
  [one, two, nobody].forEach((socket) => socket.close());
}

async function endings(generation, way) {
  const name = `${generation}, ${way}`;
  const forger = client(generation, URL, way);
  const refused = once(forger, "unauthorized");
  forger.on("connect", () => forger.emit("authenticate", { token: token({ user_id: 1 }, "x".repeat(40)) }));
  const [why, answer] = await refused;
  const data = { message: "invalid signature", code: "invalid_token", type: "UnauthorizedError" };
  equal(`${name}: why`, why, { message: data.message, inner: { message: data.message }, data });
  const gone = once(forger, "disconnect");
  answer();
  await gone;
  check(`${name}: with the answer it ends`, true);

  const late = client(generation, URL, way);
  await once(late, "connect");
  await once(late, "disconnect");
  check(`${name}: who shows nothing in time is sent away`, true);

  const brief = await shown(generation, way, { user_id: 3, exp: Math.floor(Date.now() / 1000) + 2 });
  const told = once(brief, "unauthorized");
  const end = once(brief, "disconnect");
  equal(`${name}: a token expires`, (await told)[0].message, "jwt expired");
  await end;
  check(`${name}: and that is the end`, true);
}
