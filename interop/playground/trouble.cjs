// The server goes and comes, the wire breaks, and somebody has to show a token.
"use strict";

const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { check, equal, run } = require("peers.cjs");
const { browse, curl, focus, freePort, row, rows, serve, visit, words } = require("browser.cjs");

run(() => browse(async (browser) => {
  const context = await browser.newContext();
  await restarts(context);
  await interrupted(context);
  await tokens(context);
}));

async function restarts(context) {
  const port = await freePort();
  let server = await serve(port);
  const page = await visit(context, `http://127.0.0.1:${port}/#chat,news`);
  await curl("-d", "before", `http://127.0.0.1:${port}/c/news`);
  await row(page, "before");
  await server.end();
  await page.waitForSelector('#state[data-state="connecting"]');
  await words(page, "#state", "Connection lost");
  await page.fill("#payload", "into nothing");
  await page.press("#payload", "Enter");
  await words(page, "#notice", "cannot be reached");
  server = await serve(port);
  await page.waitForSelector('#state[data-state="connected"]');
  await curl("-d", "after", `http://127.0.0.1:${port}/c/news`);
  equal("a server that comes back is heard again", (await row(page, "after"))[0], "news");
  check("what was seen is still there", (await rows(page)).some((cells) => cells[3] === "before"));
  const remarks = await page.$$eval("#log .remark", (all) => all.map((e) => e.textContent));
  equal("and that something may be missing is said once", remarks, ["Connected again. What was said meanwhile is not shown."]);
  await page.close();
  await server.end();
}

/** Serves with this configuration while `act` runs. */
async function configured(text, act) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chappe-playground-"));
  const config = path.join(folder, "chappe.toml");
  fs.writeFileSync(config, text);
  const port = await freePort();
  const server = await serve(port, "--config", config);
  try {
    await act(port);
  } finally {
    await server.end();
    fs.rmSync(folder, { recursive: true });
  }
}

/** The way to the server is cut, and mended, while the server goes on. */
const interrupted = (context) => configured('[[channel]]\npattern = "kept"\nwindow = 10\n', async (port) => {
  const wires = new Set();
  let cut = false;
  const way = net.createServer((near) => {
    if (cut) return near.destroy();
    const far = net.connect(port, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      wires.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy()).pipe(other);
    }
  });
  await new Promise((listening) => way.listen(0, "127.0.0.1", listening));
  const page = await visit(context, `http://127.0.0.1:${way.address().port}/#kept`);
  const say = (words) => curl("-d", words, `http://127.0.0.1:${port}/c/kept`);
  await say("one");
  await row(page, "one");
  cut = true;
  wires.forEach((wire) => wire.destroy());
  await page.waitForSelector('#state[data-state="connecting"]');
  await say("two");
  await say("three");
  cut = false;
  await page.waitForSelector('#state[data-state="connected"]');
  await say("four");
  await row(page, "four");
  const seen = await page.$$eval("#log .row", (all) => all.map((e) => e.lastElementChild.textContent));
  equal("a channel with a window loses nothing to a broken wire", seen, ["one", "two", "three", "four"]);
  await page.close();
  way.close();
});

const tokens = (context) => configured(
  '[[auth.token]]\nname = "alice"\ntoken = "s3cret"\ngrants = ["READ chat", "WRITE chat"]\n',
  async (port) => {
    const page = await visit(context, `http://127.0.0.1:${port}/`, "refused");
    await words(page, "#state", "asks for a token");
    equal("a server that asks for a token leads to its field", (await focus(page))[0], "token");
    await page.fill("#token", "wrong");
    await page.press("#token", "Enter");
    await words(page, "#state", "the token is unknown");
    await words(page, "#token-about", "the token is unknown");
    await page.fill("#token", "s3cret");
    await page.press("#token", "Enter");
    await page.waitForSelector('#state[data-state="connected"]');
    await words(page, "#token-about", "For servers that ask for one");
    await page.fill("#payload", "by name");
    await page.press("#payload", "Enter");
    equal("a token opens the way, and gives a name", (await row(page, "by name"))[2], "alice");
    await page.fill("#join", "secrets");
    await page.press("#join", "Enter");
    await words(page, "#notice", "secrets: no grant gives READ");
    await page.fill("#payload", "still here");
    await page.press("#payload", "Enter");
    await row(page, "still here");
    const names = await page.$$eval("#channels .name", (all) => all.map((b) => b.textContent));
    equal("a refused channel takes no other with it", names, ["chat"]);
    const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie, location.href.includes("s3cret")]);
    equal("the token is kept nowhere", kept, [0, 0, "", false]);
    await page.reload();
    await page.waitForSelector('#state[data-state="refused"]');
    equal("and gone after a reload", await page.inputValue("#token"), "");
    await page.close();
  },
);
