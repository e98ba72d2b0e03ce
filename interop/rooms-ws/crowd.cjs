// Two hundred clients in one room hear fifty messages in order, and nothing is lost.
"use strict";

const { Rooms, check, equal, fresh, run } = require("peers.cjs");

run(async () => {
  const room = fresh("crowd");
  const crowd = await Promise.all(Array.from({ length: 200 }, () => Rooms.enter("/", { fenced: false })));
  await Promise.all(crowd.map((peer) => peer.subscribe(room)));
  check("200 clients are in", true);

  const expected = Array.from({ length: 50 }, (_, i) => `{"event":"${room}","payload":${i}}`);
  for (const frame of expected) crowd[0].say(frame);
  const heard = await Promise.all(crowd.map((peer) => peer.hearAll(50, "one of the fifty")));
  const whole = JSON.stringify(expected);
  equal("all 200 heard all 50, in order", heard.filter((h) => JSON.stringify(h) === whole).length, 200);

  // Ten speak at once: each one's order is kept, and everybody hears the same order.
  const speakers = crowd.slice(50, 60);
  for (let i = 0; i < 20; i++) {
    speakers.forEach((peer, s) => peer.say(`{"event":"${room}","speaker":${s},"i":${i}}`));
  }
  const orders = await Promise.all(crowd.map((peer) => peer.hearAll(200, "one of the two hundred")));
  const first = JSON.stringify(orders[0]);
  equal("everybody hears the same order", orders.filter((o) => JSON.stringify(o) === first).length, 200);
  for (let s = 0; s < speakers.length; s++) {
    const own = orders[0].map((frame) => JSON.parse(frame)).filter((o) => o.speaker === s).map((o) => o.i);
    equal(`speaker ${s} is heard in its own order`, own, Array.from({ length: 20 }, (_, i) => i));
  }

  // Half of them vanish without a word.
  crowd.slice(100).forEach((peer) => peer.end());
  const after = `{"event":"${room}","payload":"after"}`;
  crowd[0].say(after);
  const rest = await Promise.all(crowd.slice(0, 100).map((peer) => peer.hear("a message after the others vanished")));
  equal("those who stayed hear on", rest.filter((frame) => frame === after).length, 100);
});
