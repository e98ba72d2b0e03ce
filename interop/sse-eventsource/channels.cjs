// An EventSource as browsers have it: one channel, event names, several channels, the envelope.
"use strict";

const { EventSource } = require("eventsource");
const { HERE, Queue, Rooms, check, equal, fresh, run, soon } = require("peers.cjs");

const open = [];

/** Opened: from here on it is a member. Events of these names are heard. */
async function listen(path, names = ["message"]) {
  const source = new EventSource(`http://${HERE}${path}`);
  open.push(source);
  const heard = new Queue();
  for (const name of names) {
    source.addEventListener(name, (event) => heard.push({ name, data: event.data, id: event.lastEventId }));
  }
  await soon(new Promise((resolve, fail) => {
    source.onopen = resolve;
    source.onerror = (event) => fail(new Error(`EventSource ${path}: ${event.code} ${event.message}`));
  }), "the stream to open");
  source.errors = 0;
  source.onerror = () => { source.errors += 1; };
  return { source, hear: () => heard.next("an event") };
}

async function post(channel, body, headers = {}) {
  const response = await soon(fetch(`http://${HERE}/c/${channel}`, { method: "POST", body, headers }), "the answer");
  if (response.status !== 202) throw new Error(`POST: ${response.status} ${await response.text()}`);
  return response.json();
}

const JSON_TYPE = { "Content-Type": "application/json" };
const TEXT_TYPE = { "Content-Type": "text/plain" };

run(async () => {
  const chat = fresh("chat");
  const one = await listen(`/c/${chat}`, ["message", "alarm", "broadcast"]);
  equal("it is open", one.source.readyState, 1);

  equal("it is a member", await post(chat, '{"a":[1.0,2]}', JSON_TYPE), { members: 1 });
  equal("JSON comes as it was written", (await one.hear()).data, '{"a":[1.0,2]}');
  await post(chat, "one\ntwo\n\nfour ü 🗼", TEXT_TYPE);
  equal("text comes line by line, and is put together again", (await one.hear()).data, "one\ntwo\n\nfour ü 🗼");
  await post(chat, " leading blank", TEXT_TYPE);
  equal("a leading blank is kept", (await one.hear()).data, " leading blank");
  await post(chat, '"fire"', { ...JSON_TYPE, "X-Event": "alarm" });
  const alarm = await one.hear();
  equal("an event name is an event name", [alarm.name, alarm.data], ["alarm", '"fire"']);

  const room = await Rooms.enter();
  room.say(`{"event":"${chat}","payload":{"from":"rooms"}}`);
  const crossed = await one.hear();
  equal("a rooms client is heard", [crossed.name, crossed.data], ["message", '{"from":"rooms"}']);
  room.say('{"event":"broadcast","payload":"all"}');
  const broadcast = await one.hear();
  equal("a broadcast is an event of that name", [broadcast.name, broadcast.data], ["broadcast", '"all"']);

  const other = fresh("other");
  const both = await listen(`/c/${chat},${other}`, ["message", "alarm"]);
  const envelope = await listen(`/c/${chat}?envelope=1`, ["message", "alarm"]);
  await post(chat, "1", JSON_TYPE);
  await post(other, '"hi"', JSON_TYPE);
  const seen = [JSON.parse((await both.hear()).data), JSON.parse((await both.hear()).data)];
  equal("several channels: each event says of which it is", seen.map((e) => [e.channel, e.payload]), [[chat, 1], [other, "hi"]]);
  const wrapped = JSON.parse((await envelope.hear()).data);
  equal("one channel in an envelope", [wrapped.channel, wrapped.payload], [chat, 1]);
  check("with its time", Number.isInteger(wrapped.time), wrapped);
  await post(other, "2", { ...JSON_TYPE, "X-Event": "alarm" });
  const named = JSON.parse((await both.hear()).data);
  equal("the envelope has the event's name", [named.channel, named.event, named.payload], [other, "alarm", 2]);

  equal("the first channel alone was heard by the first", (await one.hear()).data, "1");
  for (let i = 0; i < 200; i++) room.say(`{"event":"${chat}","payload":${i}}`);
  const run200 = [];
  while (run200.length < 200) run200.push(Number((await one.hear()).data));
  equal("200 events come in order", run200, Array.from({ length: 200 }, (_, i) => i));

  equal("no stream broke meanwhile", open.map((source) => source.errors), [0, 0, 0]);
  open.forEach((source) => source.close());
});
