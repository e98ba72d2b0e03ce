// The protocols themselves, packet by packet, with nothing but HTTP and WebSockets: Engine.IO against the example that
// says everything back, Socket.IO against the one that greets. Both have a quick pace, 300 ms and 200 ms.
"use strict";

const path = require("node:path");
const { WebSocket, Queue, check, equal, run, soon } = require("peers.cjs");
const { listen } = require("browser.cjs");

run(async () => {
  const [echo, greeter] = [await example("engineio_echo"), await example("socketio_app")];
  try {
    for (const act of [opening, refused, polls, faults, closing, upgrades, revision3]) await act(`${echo.at}/engine.io/`);
    for (const act of [beats, silence]) await act(`${echo.at}/engine.io/`);
    for (const act of [namespaces, messages, leaving, nonsense]) await act(`${greeter.at}/socket.io/`);
  } finally {
    await Promise.all([echo.end(), greeter.end()]);
  }
});

/** An example at a port of the system's choice. */
async function example(name) {
  const running = listen(path.join(process.env.CHAPPE_EXAMPLES, name), "--port", "0");
  const [, at] = (await running.heard("\n")).match(/^listening at (\S+)/);
  return { at: `http://${at}`, end: running.end };
}

const text = async (response) => (await response).text();
const status = async (response) => (await response).status;

/** A session by polls. */
class Polls {
  static async open(at, revision = 4) {
    const polls = new Polls();
    polls.at = `${at}?EIO=${revision}&transport=polling`;
    const opened = await text(fetch(polls.at));
    polls.told = JSON.parse(opened.slice(opened.indexOf("{")));
    polls.sid = polls.told.sid;
    return polls;
  }
  get(options) {
    return soon(fetch(`${this.at}&sid=${this.sid}`, options), "a poll");
  }
  post(body, headers) {
    return soon(fetch(`${this.at}&sid=${this.sid}`, { method: "POST", body, headers }), "a post");
  }
}

/** A WebSocket, and what comes on it: text, or the bytes of a message in an array. */
function open(at, query = "EIO=4&transport=websocket", beats = true) {
  const ws = new WebSocket(`${at.replace("http", "ws")}?${query}`);
  const heard = new Queue();
  ws.on("message", (data, isBinary) => {
    if (beats && String(data) === "2") ws.send("3");
    else heard.push(isBinary ? [...data] : String(data));
  });
  ws.on("error", () => {});
  const closed = soon(new Promise((resolve) => ws.on("close", resolve)), "a close", 20_000);
  closed.catch(() => {});
  return { ws, closed, hear: (what = "a packet") => heard.next(what), say: (...all) => all.forEach((one) => ws.send(one)) };
}

async function opening(at) {
  const { told } = await Polls.open(at);
  equal("polls: what a session is told", Object.keys(told), ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
  equal("polls: the pace", [told.upgrades, told.pingInterval, told.pingTimeout, told.maxPayload], [["websocket"], 300, 200, 1_000_000]);
  const socket = open(at);
  equal("WebSocket: nothing to change to", JSON.parse((await socket.hear()).slice(1)).upgrades, []);
  socket.say("4hello");
  equal("WebSocket: text", await socket.hear(), "4hello");
  socket.say(Buffer.from([1, 2, 3, 4]));
  equal("WebSocket: bytes", await socket.hear(), [1, 2, 3, 4]);
  socket.say("abc");
  await socket.closed;
  check("WebSocket: what is no packet closes it", true);
}

async function refused(at) {
  for (const query of ["transport=polling", "EIO=abc&transport=polling", "EIO=4", "EIO=4&transport=abc"]) {
    equal(`refused: ${query}`, await status(fetch(`${at}?${query}`)), 400);
  }
  for (const method of ["POST", "PUT"]) {
    equal(`refused: to open with ${method}`, await status(fetch(`${at}?EIO=4&transport=polling`, { method })), 400);
  }
  for (const query of ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"]) {
    equal(`refused: a WebSocket with ${query}`, await open(at, query).closed, 1006);
  }
}

async function polls(at) {
  const one = await Polls.open(at);
  const answer = await one.post("4hello");
  equal("polls: a post is answered", [answer.status, await answer.text()], [200, "ok"]);
  equal("polls: text", await text(one.get()), "4hello");
  await one.post("4a\x1e4b\x1e4c");
  equal("polls: several", await text(one.get()), "4a\x1e4b\x1e4c");
  await one.post("4hello\x1ebAQIDBA==");
  equal("polls: bytes", await text(one.get()), "4hello\x1ebAQIDBA==");
}

async function faults(at) {
  const bad = await Polls.open(at);
  await bad.post("abc");
  equal("faults: what is no payload ends the session", await status(bad.get()), 400);
  const twice = await Polls.open(at);
  const both = [twice.get(), twice.get()];
  const answers = await Promise.all(both.map(async (r) => [(await r).status, await text(r)]));
  // Which of them came first is the network's.
  equal("faults: two polls at once", answers.map(([s]) => s).sort(), [200, 400]);
  equal("faults: the first is told the end", answers.find(([s]) => s === 200)[1], "1");
  equal("faults: and it was the end", await status(twice.get()), 400);
}

async function closing(at) {
  const polls = await Polls.open(at);
  const poll = polls.get();
  await polls.post("1");
  equal("closing: a poll that waits is answered with nothing", await text(poll), "6");
  equal("closing: and the session is over", await status(polls.get()), 400);
  const socket = open(at);
  await socket.hear();
  socket.say("1");
  equal("closing: a WebSocket is closed without a code", await socket.closed, 1005);
}

async function upgrades(at) {
  const polls = await Polls.open(at);
  const query = `EIO=4&transport=websocket&sid=${polls.sid}`;
  const socket = open(at, query);
  await soon(new Promise((resolve) => socket.ws.once("open", resolve)), "a WebSocket");
  const poll = polls.get();
  socket.say("2probe");
  equal("upgrade: the probe is answered", await socket.hear(), "3probe");
  equal("upgrade: the poll that waits ends", await text(poll), "6");
  socket.say("5", "4hello");
  equal("upgrade: it carries the session", await socket.hear(), "4hello");
  equal("upgrade: polls do no more", await status(polls.get()), 400);
  await open(at, query).closed;
  socket.say("4still");
  equal("upgrade: a second one is nothing to it", await socket.hear(), "4still");
  socket.ws.close();
}

async function revision3(at) {
  const raw = await text(fetch(`${at}?EIO=3&transport=polling`));
  equal("revision 3: the length before the packet", Number(raw.split(":", 1)[0]), raw.length - raw.indexOf(":") - 1);
  const polls = await Polls.open(at, 3);
  await polls.post("1:2");
  equal("revision 3: a ping is answered", await text(polls.get()), "1:3");
  await polls.post("6:4hello6:4wör😀");
  equal("revision 3: lengths are JavaScript's", await text(polls.get()), "6:4hello6:4wör😀");
  await polls.post(Buffer.from([0, 3, 0xff, 0x34, 0xc3, 0xa9, 1, 4, 0xff, 4, 1, 2, 3]), { "Content-Type": "application/octet-stream" });
  const bytes = [...new Uint8Array(await (await polls.get()).arrayBuffer())];
  equal("revision 3: bytes", bytes, [0, 3, 0xff, 0x34, 0xc3, 0xa9, 1, 4, 0xff, 4, 1, 2, 3]);
}

async function beats(at) {
  const polls = await Polls.open(at);
  for (let n = 0; n < 3; n += 1) {
    equal("pings: by polls", await text(polls.get()), "2");
    await polls.post("3");
  }
  const socket = open(at, "EIO=4&transport=websocket", false);
  await socket.hear();
  for (let n = 0; n < 3; n += 1) {
    equal("pings: on a WebSocket", await socket.hear(), "2");
    socket.say("3");
  }
  socket.ws.close();
}

async function silence(at) {
  const socket = open(at, "EIO=4&transport=websocket", false);
  equal("silence: on a WebSocket", await socket.closed, 1005);
  const polls = await Polls.open(at);
  equal("silence: a ping", await text(polls.get()), "2");
  // The WebSocket is as old as this session, and silent as well.
  const beside = open(at, "EIO=4&transport=websocket", false);
  await beside.closed;
  equal("silence: by polls", await status(polls.get()), 400);
}

const entered = async (at, packet = "40") => {
  const socket = open(at);
  await socket.hear("the opening");
  socket.say(packet);
  return socket;
};

async function namespaces(at) {
  for (const [packet, answer, greeting] of [
    ["40", "40", '42["auth",{}]'],
    ['40{"token":"123"}', "40", '42["auth",{"token":"123"}]'],
    ["40/custom,", "40/custom,", '42/custom,["auth",{}]'],
    ['40/custom,{"token":"abc"}', "40/custom,", '42/custom,["auth",{"token":"abc"}]'],
  ]) {
    const socket = await entered(at, packet);
    const connected = await socket.hear();
    equal(`namespaces: ${packet}`, [connected.startsWith(answer), Object.keys(JSON.parse(connected.slice(answer.length)))], [true, ["sid"]]);
    equal(`namespaces: ${packet} is shown to the application`, await socket.hear(), greeting);
    socket.ws.close();
  }
  const unknown = await entered(at, "40/random");
  equal("namespaces: one that there is not", await unknown.hear(), '44/random,{"message":"Invalid namespace"}');
  unknown.ws.close();
  const never = open(at);
  await never.closed;
  check("namespaces: who is connected to none is let go", true);
}

async function messages(at) {
  const socket = await entered(at);
  await socket.hear();
  await socket.hear();
  const [one, two] = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];
  const both = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
  socket.say('42["message",1,"2",{"3":[true]}]');
  equal("messages: text", await socket.hear(), '42["message-back",1,"2",{"3":[true]}]');
  socket.say(`452-["message",${both}]`, one, two);
  equal("messages: bytes", [await socket.hear(), await socket.hear(), await socket.hear()],
    [`452-["message-back",${both}]`, [1, 2, 3], [4, 5, 6]]);
  socket.say('42456["message-with-ack",1,"2",{"3":[false]}]');
  equal("messages: an answer", await socket.hear(), '43456[1,"2",{"3":[false]}]');
  socket.say(`452-789["message-with-ack",${both}]`, one, two);
  equal("messages: an answer with bytes", [await socket.hear(), await socket.hear(), await socket.hear()],
    [`462-789[${both}]`, [1, 2, 3], [4, 5, 6]]);
  socket.ws.close();
}

async function leaving(at) {
  const socket = await entered(at);
  await socket.hear();
  await socket.hear();
  socket.say("40/custom");
  await socket.hear();
  await socket.hear();
  socket.say("41/custom", '42["message","x"]');
  equal("leaving: one namespace is nothing to the other", await socket.hear(), '42["message-back","x"]');
  socket.ws.close();
}

async function nonsense(at) {
  for (const packets of [["40"], ["42abc"], ["42{}"], ["42[]"], ['42["disconnect"]'], ['42/nope,["a"]'], ['44{"message":"x"}'],
    ["4abc"], ['450-["a"]'], ['451-["a",{"_placeholder":true,"num":0}]', '42["b"]'], [Buffer.from([1])]]) {
    const socket = await entered(at);
    await socket.hear();
    await socket.hear();
    socket.say(...packets);
    equal(`nonsense: ${packets[0]} closes`, await socket.closed, 1005);
  }
}
