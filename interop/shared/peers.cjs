// Peers for the Node scripts: a rooms client over `ws`, and checks. Every wait has a deadline; nothing sleeps.
"use strict";

const WebSocket = require("ws");

const PORT = Number(process.env.CHAPPE_PORT);
const HERE = `127.0.0.1:${PORT}`;
const DEADLINE = 10_000;
let count = 0;

/** A channel name nobody else uses. */
const fresh = (word = "room") => `${word}-${process.pid}-${++count}`;

const short = (value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text === undefined ? "undefined" : text.length > 1500 ? `${text.slice(0, 1500)}… (${text.length})` : text;
};

/** Says `ok`, or ends the script. */
function check(what, condition, seen) {
  if (!condition) throw new Error(`${what}; seen: ${short(seen)}`);
  console.log(`ok ${what}`);
}

function equal(what, seen, expected) {
  const same = typeof seen === "string" || typeof expected === "string" ? seen === expected
    : JSON.stringify(seen) === JSON.stringify(expected);
  if (!same) throw new Error(`${what}\n  expected: ${short(expected)}\n  seen:     ${short(seen)}`);
  console.log(`ok ${what}`);
}

function soon(promise, what, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`waited ${deadline} ms in vain for ${what}`)), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What comes when it comes, in order. */
class Queue {
  constructor() {
    this.items = [];
    this.waiting = [];
  }
  push(item) {
    const waiter = this.waiting.shift();
    if (waiter) waiter(item);
    else this.items.push(item);
  }
  next(what) {
    if (this.items.length > 0) return Promise.resolve(this.items.shift());
    return soon(new Promise((resolve) => this.waiting.push(resolve)), what);
  }
}

/** A rooms client, greeted, with a fence: a room of its own that tells what has not come. */
class Rooms {
  static async enter(path = "/", { fenced = true, ...options } = {}) {
    const peer = new Rooms();
    peer.heard = new Queue();
    peer.ws = new WebSocket(`ws://${HERE}${path}`, options);
    peer.closed = new Promise((resolve) => {
      peer.ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    // An error that matters shows as a close or as something that never comes.
    peer.ws.on("error", (error) => { peer.error = error; });
    peer.ws.on("message", (data, binary) => peer.heard.push(binary ? data : data.toString()));
    peer.greeting = await peer.hear("the greeting");
    peer.fence = fresh("fence");
    if (fenced) await peer.subscribe(peer.fence);
    return peer;
  }

  say(message, options) {
    this.ws.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message), options);
  }

  hear(what = "a message") {
    return this.heard.next(what).catch((late) => {
      throw this.error ? new Error(`${late.message} (${this.error.message})`) : late;
    });
  }

  async hearAll(number, what) {
    const all = [];
    while (all.length < number) all.push(await this.hear(what));
    return all;
  }

  async subscribe(...rooms) {
    this.say({ event: "subscribe", payload: rooms });
    for (const room of rooms) {
      const expected = JSON.stringify({ msg: `Subscribed to ${room}` });
      const seen = await this.hear(`the answer for ${room}`);
      if (seen !== expected) throw new Error(`expected ${expected}, seen ${short(seen)}`);
    }
  }

  /** Nothing of what `publisher` said before is on its way here: its fence is the next thing heard. */
  async nothingMore(what, publisher) {
    const mark = JSON.stringify({ event: this.fence, payload: ++count });
    publisher.say(mark);
    equal(what, await this.hear("the fence"), mark);
  }

  end() {
    this.ws.terminate();
  }
}

/** Runs the script and ends it, whatever is still open. */
function run(main) {
  soon(main(), "the end of the script", 50_000).then(
    () => process.exit(0),
    (error) => {
      console.error(error.stack);
      process.exit(1);
    },
  );
}

module.exports = { DEADLINE, HERE, Queue, Rooms, WebSocket, check, equal, fresh, run, soon };
