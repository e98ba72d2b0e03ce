// The page for everybody: keyboard only, narrow, dark and light, readable, still.
"use strict";

const { HERE, check, equal, fresh, run } = require("peers.cjs");
const { browse, curl, focus, row, visit, words } = require("browser.cjs");

run(() => browse(async (browser) => {
  await keyboard(await browser.newContext());
  await looks(browser);
}));

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
