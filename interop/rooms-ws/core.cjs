// The rooms protocol, as `ws` hears it; many joins in one frame; pings.
"use strict";

const { Rooms, check, equal, fresh, run, soon } = require("peers.cjs");

run(async () => {
  const a = await Rooms.enter();
  const b = await Rooms.enter();
  check("the greeting is JSON with `msg` and no event", Object.keys(JSON.parse(a.greeting)).join() === "msg", a.greeting);

  const chat = fresh("chat");
  a.say({ event: "subscribe", payload: [chat] });
  equal("subscribing is acknowledged", await a.hear(), `{"msg":"Subscribed to ${chat}"}`);
  await b.subscribe(chat);

  const frame = `{ "payload":[1.0, {"b":1,"a":"ü🗼"}],\t"event":"${chat}" }`;
  a.say(frame);
  equal("relayed byte for byte", [await a.hear(), await b.hear()], [frame, frame]);
  b.say(Buffer.from(frame));
  equal("a binary frame comes out as text", [await a.hear(), await b.hear()], [frame, frame]);

  a.say({ event: fresh("unknown"), payload: 1 });
  a.say("junk");
  await b.nothingMore("junk and unknown rooms reach nobody", a);
  await a.nothingMore("nor the sender", a);

  const broadcast = '{"event":"broadcast","payload":"all"}';
  a.say(broadcast);
  equal("a broadcast reaches all, its sender too", [await a.hear(), await b.hear()], [broadcast, broadcast]);

  b.say({ event: "unsubscribe", payload: [chat] });
  equal("unsubscribing is acknowledged", await b.hear(), `{"msg":"Unsubscribed to ${chat}"}`);
  a.say(frame);
  equal("who stayed hears", await a.hear(), frame);
  await b.nothingMore("who left does not", a);

  const many = Array.from({ length: 500 }, (_, i) => `${chat}/${i}`);
  await b.subscribe(...many);
  check("500 joins in one frame, answered in order", true);
  for (const room of [many[0], many[250], many[499]]) a.say(`{"event":"${room}"}`);
  const expected = [0, 250, 499].map((i) => `{"event":"${many[i]}"}`);
  equal("each of them is a room", await b.hearAll(3), expected);

  for (const data of ["", "beat", "x".repeat(125)]) {
    const pong = new Promise((resolve) => a.ws.once("pong", (bytes) => resolve(bytes.toString())));
    a.ws.ping(data);
    equal(`a ping of ${data.length} bytes is answered with the same`, await soon(pong, "a pong"), data);
  }
});
