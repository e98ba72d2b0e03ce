// Many messages: what is kept, what a pause does, and that changing channels loses nothing.
"use strict";

const { HERE, Rooms, check, equal, fresh, run } = require("peers.cjs");
const { browse, members, post, row, rows, visit, words } = require("browser.cjs");

const AT = `http://${HERE}`;

run(() => browse(async (browser) => {
  const context = await browser.newContext();
  await bounds(context);
  await misses(context);
}));

async function bounds(context) {
  const channel = fresh("many");
  const page = await visit(context, `${AT}/#${channel}`);
  const room = await Rooms.enter();
  const say = (from, to) => {
    for (let i = from; i < to; i++) room.say({ event: channel, payload: i });
  };
  const last = () => page.$eval("#log", (log) => {
    const [cell, box] = [log.lastElementChild.getBoundingClientRect(), log.getBoundingClientRect()];
    return [log.lastElementChild.querySelector(".payload").textContent, cell.bottom <= box.bottom + 1];
  });
  say(0, 1200);
  await row(page, "1199");
  const seen = (await rows(page)).map((cells) => Number(cells[3]));
  equal("the last 500 are kept, in order", seen, Array.from({ length: 500 }, (_, i) => 700 + i));
  equal("and the newest is visible", await last(), ["1199", true]);
  equal("and all are counted", await page.textContent("#counts"), "1,200 messages, the last 500 are kept");

  await page.$eval("#log", (log) => { log.scrollTop = 200; });
  await words(page, "#pause", "Resume");
  say(1200, 1203);
  await words(page, "#newer", "3 new");
  equal("who scrolls up is left alone", [await page.$eval("#log", (log) => log.scrollTop), (await last())[0]], [200, "1199"]);
  await page.click("#newer");
  equal("until asked to go on", await last(), ["1202", true]);
  await page.click("#pause");
  say(1203, 2000);
  await words(page, "#counts", "2,000");
  await words(page, "#newer", "500 or more");
  equal("a pause adds nothing", (await last())[0], "1202");
  await page.click("#pause");
  equal("and ends with the newest 500", [await last(), (await rows(page)).length], [["1999", true], 500]);
  await post(channel, `"${"x".repeat(100_000)}"`);
  await words(page, "#log", "100,000 characters in all");
  check("a long payload is cut", (await page.$eval("#log", (log) => log.lastElementChild.textContent.length)) < 2200);
  await page.click("#clear");
  equal("and all of it can be cleared", await rows(page), []);
  room.end();
  await page.close();
}

/** Joining and leaving change the stream under a flow of messages: each is shown, once, in order. */
async function misses(context) {
  const channel = fresh("flow");
  const page = await visit(context, `${AT}/#${channel}`);
  const room = await Rooms.enter();
  let sent = 0;
  let flowing = true;
  const flow = (async () => {
    while (flowing && sent < 400) {
      room.say({ event: channel, payload: sent++ });
      await page.evaluate(() => 0);
    }
  })();
  for (const other of [fresh("a"), fresh("b"), fresh("c")]) {
    const before = sent;
    await page.fill("#join", other);
    await page.press("#join", "Enter");
    await members(other, 1);
    await row(page, String(before + 1));
    await page.click(`button[aria-label="Leave ${other}"]`);
    await members(other, 0);
  }
  flowing = false;
  await flow;
  room.say({ event: channel, payload: "end" });
  await row(page, "end");
  const seen = (await rows(page)).map((cells) => cells[3]);
  equal("no message is lost or shown twice while channels change", seen, [...Array(sent).keys(), "end"].map(String));
  room.end();
  await page.close();
}
