// The lines to paste, pasted into a shell.
"use strict";

const { HERE, WebSocket, check, equal, fresh, run } = require("peers.cjs");
const { browse, listen, members, row, rows, visit, words } = require("browser.cjs");

const AT = `http://${HERE}`;

run(() => browse(async (browser) => {
  const context = await browser.newContext();
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: AT });
  await pastes(context);
}));

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
