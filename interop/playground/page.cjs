// The page in a browser, beside curl and a rooms client: hearing, publishing, lines to paste, hostile names and payloads.
"use strict";

const { HERE, Rooms, WebSocket, check, equal, fresh, run } = require("peers.cjs");
const { curl, launch, listen, row, rows, visit, words } = require("browser.cjs");

const AT = `http://${HERE}`;
const post = (channel, body, ...more) => curl("-d", body, ...more, `${AT}/c/${encodeURIComponent(channel)}`);

run(async () => {
  const browser = await launch();
  try {
    const context = await browser.newContext();
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: AT });
    await talks(context);
    await pastes(context);
    await survives(context);
    await bounds(context);
    await misses(context);
  } finally {
    await browser.close();
  }
});

async function talks(context) {
  const [one, two] = [fresh("one"), fresh("two")];
  const page = await visit(context, `${AT}/`);
  equal("a newcomer listens to chat", await page.$$eval("#channels .name", (all) => all.map((b) => b.textContent)), ["chat"]);
  await page.fill("#join", `${one}, ${two}`);
  await page.press("#join", "Enter");
  await page.waitForFunction(() => document.querySelectorAll("#channels li").length === 3);
  await post("chat", "is the first still heard?");
  await row(page, "is the first still heard?");
  for (const channel of [one, two]) {
    await members(channel, 1);
    await post(channel, `said to ${channel}`, "-H", "X-Event: tick");
    const [where, event, publisher] = await row(page, `said to ${channel}`);
    equal("curl is seen: channel and event", [where, event], [channel, "tick"]);
    check("and the publisher", /^\d+-\d+-\d+$/.test(publisher), publisher);
  }
  await post(one, '{"big":12345678901234567890,"rate":1.50}');
  check("JSON keeps its digits", await row(page, '{"big":12345678901234567890,"rate":1.50}'));

  const lines = listen("curl", "-sN", `${AT}/c/${one}`);
  await members(one, 2);
  await page.fill("#to", one);
  await page.fill("#event", "grüß");
  await page.check('input[value="json"]');
  await page.fill("#payload", '{"a":[1,2]}');
  await page.click("#publish button[type=submit]");
  check("the page is heard by curl -N", await lines.heard('"event":"grüß","payload":{"a":[1,2]}'));
  check("and hears itself", await row(page, '{"a":[1,2]}'));
  await words(page, "#notice", "2 members");
  await page.fill("#payload", "{oops");
  await page.press("#payload", "Enter");
  await words(page, "#notice", "This is not JSON");
  await page.check('input[value="text"]');
  await page.press("#payload", "Enter");
  check("text is text", await lines.heard('"payload":"{oops"'));
  await lines.end();

  const unjoined = fresh("unjoined");
  await page.fill("#to", unjoined);
  await page.fill("#payload", "into the blue");
  await page.press("#payload", "Enter");
  equal("who publishes somewhere new hears it", (await row(page, "into the blue"))[0], unjoined);

  await page.click(`button[aria-label="Leave ${one}"]`);
  await members(one, 0);
  await post(one, "nobody hears this");
  await post(two, "a fence");
  await row(page, "a fence");
  check("a channel that was left is silent", !(await rows(page)).some((cells) => cells[3] === "nobody hears this"));
  await page.reload();
  await page.waitForSelector('#state[data-state="connected"]');
  const names = await page.$$eval("#channels .name", (all) => all.map((b) => b.textContent));
  equal("a reload keeps the channels", names, ["chat", two, unjoined]);
  equal("nothing went wrong", [page.wrong, await page.evaluate(() => window.violations)], [[], []]);
  await page.close();
}

/** Waits until a channel has so many members. */
async function members(channel, wanted) {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    const listed = JSON.parse(await curl(`${AT}/c`)).channels.find((c) => c.channel === channel);
    if ((listed?.members ?? 0) === wanted) return;
  }
  throw new Error(`${channel} never had ${wanted} members`);
}

async function pastes(context) {
  const channel = fresh("pasted");
  const page = await visit(context, `${AT}/`);
  await page.fill("#to", channel);
  const copy = async (name) => {
    await page.click(`button[aria-label="Copy the line for ${name}"]`);
    await words(page, `button[aria-label="Copy the line for ${name}"]`, "Copied");
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const line = await copy("http");
  equal("the line names address and channel", line.includes(`${AT}/c/${channel}`) && !/chappe\.example|\bchat\b/.test(line), true);
  await members(channel, 1);
  const shell = listen("bash", "-c", line);
  equal("pasted into a shell, it arrives", (await row(page, "hello"))[0], channel);
  await page.fill("#payload", "hello yourself");
  await page.press("#payload", "Enter");
  check("and what the page says arrives there", await shell.heard('"payload":"hello yourself"'));
  await shell.end();

  // What npx would fetch is not fetched: the shell reads the line, and `ws` says what it says.
  const read = listen("bash", "-c", `npx() { printf '%s\\0' "$@" END; }; ${await copy("rooms")}`);
  const args = (await read.heard("END")).split("\0");
  const url = args[args.indexOf("-c") + 1];
  equal("the rooms line names the address", url, `ws://${HERE}/`);
  const ws = new WebSocket(url);
  ws.on("open", () => args.forEach((arg, i) => { if (arg === "-x") ws.send(args[i + 1]); }));
  await page.waitForFunction(() => document.querySelectorAll("#log .row").length === 3);
  equal("and speaks to the channel", (await rows(page))[2].filter((_, i) => i !== 2), [channel, "", "hello"]);
  ws.terminate();

  await page.fill("#to", 'x"; rm -rf / #');
  const shown = await page.$$eval("#lines code", (all) => all.map((code) => code.textContent));
  check("a name that means something to a shell is in no line", shown.every((l) => !l.includes("rm -rf")), shown);
  equal("nothing went wrong", [page.wrong, await page.evaluate(() => window.violations)], [[], []]);
  await page.close();
}

async function survives(context) {
  const probe = '<img src=x onerror="window.hit=1"><script>window.hit=2</script>';
  const page = await visit(context, `${AT}/#${encodeURIComponent(probe)}`);
  await post(probe, probe, "-H", `X-Event: ${probe}`);
  const [channel, event, , payload] = await row(page, probe);
  equal("markup is text wherever it comes", [channel, event, payload], [probe, probe, probe]);
  await post(probe, JSON.stringify({ [probe]: probe }));
  await row(page, JSON.stringify({ [probe]: probe }));
  await page.fill("#to", probe);
  await page.fill("#payload", "</textarea><b>bold</b>");
  await page.press("#payload", "Enter");
  await row(page, "</textarea><b>bold</b>");
  const found = await page.evaluate(() => [document.querySelectorAll("img, #log script, #log b, #channels script").length, window.hit ?? null]);
  equal("and becomes no element", found, [0, null]);
  equal("nothing went wrong", [page.wrong, await page.evaluate(() => window.violations)], [[], []]);

  // Should markup get in all the same, the policy is behind it. This also shows that violations are noticed.
  await page.evaluate((markup) => {
    const script = document.createElement("script");
    script.textContent = "window.hit = 3";
    const place = document.createElement("div");
    place.innerHTML = markup;
    document.body.append(script, place);
  }, probe);
  const elsewhere = await page.evaluate(() => fetch("http://localhost:1/").then(() => "reached", () => "blocked"));
  await page.waitForFunction(() => window.violations.length >= 4);
  const violations = await page.evaluate(() => window.violations.map((v) => v.split(" ")[0]));
  for (const rule of ["script-src-elem", "script-src-attr", "img-src", "connect-src"]) {
    check(`the policy stops ${rule}`, violations.includes(rule), violations);
  }
  equal("and none of it ran", [await page.evaluate(() => window.hit ?? null), elsewhere], [null, "blocked"]);
  await page.close();
}

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
