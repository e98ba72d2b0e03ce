// A browser with an empty profile, the playground in it, and what a person would see there.
"use strict";

const { chromium } = require("playwright-core");
const { execFile, spawn } = require("node:child_process");
const net = require("node:net");
const { HERE, soon } = require("./peers.cjs");

// Quiet: nothing but what the page asks for goes out.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Calls with a browser while it is open. */
async function browse(act) {
  const browser = await chromium.launch({ executablePath: process.env.CHAPPE_BROWSER, args: FLAGS });
  try {
    await act(browser);
  } finally {
    await browser.close();
  }
}

/** Opens the page at an address and waits for a state. What goes wrong in it is kept in `page.wrong`. */
async function visit(context, address, state = "connected") {
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.wrong = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.wrong.push(message.text());
  });
  page.on("pageerror", (error) => page.wrong.push(error.message));
  await page.addInitScript(() => {
    window.violations = [];
    addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
  });
  await page.goto(address);
  await page.waitForSelector(`#state[data-state="${state}"]`);
  return page;
}

/** The rows of messages, oldest first: channel, event, publisher, payload. */
const rows = (page) => page.$$eval("#log .row:not(.remark)", (all) => all.map((row) =>
  [".channel", ".event", ".publisher", ".payload"].map((cell) => row.querySelector(cell).textContent)));

/** Waits until a row has this payload, and returns the last such row. */
async function row(page, payload) {
  await page.waitForFunction((wanted) =>
    [...document.querySelectorAll("#log .payload")].some((cell) => cell.textContent === wanted), payload);
  return (await rows(page)).findLast((cells) => cells[3] === payload);
}

/** What has the focus, in a word, and whether that can be seen. */
const focus = (page) => page.evaluate(() => {
  const { activeElement: at } = document;
  const seen = at.matches(":focus-visible") && getComputedStyle(at).outlineStyle !== "none";
  return [at.id || at.value || at.getAttribute("aria-label") || at.textContent, seen];
});

const words = (page, selector, text) => page.waitForFunction(([where, wanted]) =>
  document.querySelector(where).textContent.includes(wanted), [selector, text]);

/** What `curl` prints. */
const curl = (...args) => soon(new Promise((resolve, reject) => {
  execFile("curl", ["-sS", "--max-time", "10", ...args], (error, stdout) => (error ? reject(error) : resolve(stdout)));
}), "curl");

/** Publishes with curl to the suite's server. */
const post = (channel, body, ...more) => curl("-d", body, ...more, `http://${HERE}/c/${encodeURIComponent(channel)}`);

/** Waits until a channel has so many members. */
async function members(channel, wanted) {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    const listed = JSON.parse(await curl(`http://${HERE}/c`)).channels.find((c) => c.channel === channel);
    if ((listed?.members ?? 0) === wanted) return;
  }
  throw new Error(`${channel} never had ${wanted} members`);
}

/** What a program says, line by line, until `end`. It and what it started make a group of their own. */
function listen(program, ...args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"], detached: true });
  let text = "";
  const waiting = new Set();
  child.stdout.on("data", (piece) => {
    text += piece;
    waiting.forEach((look) => look());
  });
  return {
    child,
    heard: (wanted) => soon(new Promise((resolve) => {
      const look = () => {
        if (!text.includes(wanted)) return;
        waiting.delete(look);
        resolve(text);
      };
      waiting.add(look);
      look();
    }), `${JSON.stringify(wanted)} from ${program}`),
    end: () => soon(new Promise((resolve) => {
      // When its output is closed, all of the group is gone.
      if (child.stdout.closed) return resolve();
      child.once("close", resolve);
      process.kill(-child.pid, "SIGTERM");
    }), `the end of ${program}`),
  };
}

const freePort = () => new Promise((resolve, reject) => {
  const server = net.createServer().on("error", reject).listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** A server of one's own, which has said where it listens. */
async function serve(port, ...args) {
  const server = listen(process.env.CHAPPE_BINARY, "serve", "--listen", `127.0.0.1:${port}`, ...args);
  await server.heard("is listening at");
  return server;
}

module.exports = { browse, curl, focus, freePort, listen, members, post, row, rows, serve, visit, words };
