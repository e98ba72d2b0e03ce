// The page for everybody: keyboard only, narrow, dark and light, readable; with a token; when the server goes and comes.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { HERE, check, equal, fresh, run } = require("peers.cjs");
const { curl, freePort, launch, row, rows, serve, visit, words } = require("browser.cjs");

run(async () => {
  const browser = await launch();
  try {
    await keyboard(await browser.newContext());
    await looks(browser);
    await restarts(await browser.newContext());
    await tokens(await browser.newContext());
  } finally {
    await browser.close();
  }
});

/** What has the focus, in a word, and whether that can be seen. */
const focus = (page) => page.evaluate(() => {
  const { activeElement: at } = document;
  const seen = at.matches(":focus-visible") && getComputedStyle(at).outlineStyle !== "none";
  return [at.id || at.value || at.getAttribute("aria-label") || at.textContent, seen];
});

async function keyboard(context) {
  const page = await visit(context, `http://${HERE}/`);
  equal("it begins where one writes", (await focus(page))[0], "payload");
  await page.keyboard.press("Enter");
  equal("Enter publishes", (await row(page, "hello"))[0], "chat");

  const order = ["payload", "text", "event", "to", "pause", "clear", "log", "Join", "join", "Leave chat", "chat"];
  const walked = [];
  for (const _ of order) {
    const [name, seen] = await focus(page);
    walked.push(name);
    if (!seen) throw new Error(`the focus on ${name} cannot be seen`);
    await page.keyboard.press("Shift+Tab");
  }
  equal("Shift and Tab walk back, and the focus is always seen", walked, order);
  while ((await focus(page))[0] !== "join") await page.keyboard.press("Tab");
  const news = fresh("news");
  await page.keyboard.type(news);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`button[aria-label="Leave ${news}"]`);
  while ((await focus(page))[0] !== "to") await page.keyboard.press("Tab");
  await page.keyboard.press("Control+a");
  await page.keyboard.type(news);
  while ((await focus(page))[0] !== "payload") await page.keyboard.press("Tab");
  await page.keyboard.press("Control+a");
  await page.keyboard.type("two");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("lines");
  await page.keyboard.press("Tab");
  equal("Publish comes next", (await focus(page))[0], "Publish");
  await page.keyboard.press("Space");
  equal("two lines are one message", (await row(page, "two\nlines"))[0], news);
  await page.keyboard.press("Tab");
  equal("then the lines to copy", (await focus(page))[0], "Copy the line for http");
  await page.keyboard.press("Enter");
  await words(page, "#notice", "Copied");
  const unnamed = await page.$$eval("button, input, textarea", (all) =>
    all.filter((e) => !e.textContent.trim() && !e.labels?.length && !e.ariaLabel && !e.hidden).map((e) => e.outerHTML));
  equal("every control has a name", unnamed, []);
  const polite = await page.$$eval("[role=status]", (all) => all.map((e) => e.id));
  equal("state and notices are told to those who do not see", polite, ["state", "notice"]);
  await page.close();
}

/** Text whose contrast to what is behind it is less than WCAG 2.2 AA asks for. */
const faint = (page) => page.evaluate(() => {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => channels(colour).slice(0, 3)
    .map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if ((channels(backgroundColor)[3] ?? 1) === 1) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && (element.matches("input, textarea") ||
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())));
  const ratio = (element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  return [texts.length > 25, texts.filter((e) => ratio(e) < 4.5).map((e) => `${e.tagName} ${e.textContent} ${ratio(e)}`)];
});

async function looks(browser) {
  const papers = [];
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of [{ width: 360, height: 640 }, { width: 1280, height: 800 }]) {
      const context = await browser.newContext({ colorScheme, viewport, reducedMotion: "reduce" });
      const channel = `${fresh("long")}-${"channel".repeat(20)}`;
      const page = await visit(context, `http://${HERE}/#chat,${channel}`);
      await curl("-H", `X-Event: ${"event".repeat(30)}`, "-d", "word".repeat(200), `http://${HERE}/c/${channel}`);
      await row(page, "word".repeat(200));
      await page.click("#pause");
      const what = `${colorScheme}, ${viewport.width} wide`;
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      equal(`${what}: nothing is beside the screen`, wide, room);
      equal(`${what}: all text can be read`, await faint(page), [true, []]);
      equal(`${what}: nothing moves for who does not want it`, await page.evaluate(() => document.getAnimations().length), 0);
      papers.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      await context.close();
    }
  }
  check("dark is dark", papers[0] === papers[1] && papers[2] === papers[3] && papers[0] !== papers[2], papers);
}

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

async function tokens(context) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chappe-playground-"));
  const config = path.join(folder, "chappe.toml");
  fs.writeFileSync(config, '[[auth.token]]\nname = "alice"\ntoken = "s3cret"\ngrants = ["READ chat", "WRITE chat"]\n');
  const port = await freePort();
  const server = await serve(port, "--config", config);
  try {
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
  } finally {
    await server.end();
    fs.rmSync(folder, { recursive: true });
  }
}
