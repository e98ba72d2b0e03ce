// The client library served by the server itself, from the npm package's files: as they are, and loaded by a page in a
// browser, which then talks; the cookie; and clients that are gone without a word, by polls.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { check, equal, run, soon } = require("peers.cjs");
const { browse, curl, freePort, listen } = require("browser.cjs");
const { GENERATIONS } = require("socketio.cjs");

const FILES = ["", ".min", ".esm.min", ".msgpack.min"].flatMap((kind) => [`socket.io${kind}.js`, `socket.io${kind}.js.map`]);

/** The folder of a generation's files for browsers. */
const dist = (generation) => path.join(path.dirname(require.resolve(`socket.io-client-${generation}/package.json`)), "dist");

/** Serves one page, and says where. */
function pages(html) {
  const server = http.createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(`<!doctype html><meta charset="utf-8">${html()}`);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

run(() => browse(async (browser) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chappe-bundle-"));
  let html;
  const pageServer = await pages(() => html);
  const origin = `http://127.0.0.1:${pageServer.address().port}`;
  try {
    for (const generation of GENERATIONS) {
      const port = await freePort();
      const at = `http://127.0.0.1:${port}`;
      const config = path.join(folder, `${generation}.toml`);
      fs.writeFileSync(config, `admin = { address = "off" }
dialect.socketio = { client = ${JSON.stringify(dist(generation))}, cookie = "io" }
[[listener]]
address = "127.0.0.1:${port}"
origins = ["${origin}"]
`);
      const server = listen(process.env.CHAPPE_BINARY, "serve", "--config", config, "--shards", "2");
      try {
        await server.heard("is listening at");
        await files(at, generation);
        html = `<script src="${at}/socket.io/socket.io.js"></script>`;
        await page(browser, origin, at, `${generation}, socket.io.js`);
        if (generation === "4") await others(browser, origin, at, (text) => { html = text; });
        await cookie(at, generation);
        await killed(at, generation);
      } finally {
        await server.end();
      }
    }
    await refused(folder);
  } finally {
    pageServer.close();
    fs.rmSync(folder, { recursive: true });
  }
}));

async function files(at, generation) {
  for (const name of FILES) {
    const file = path.join(dist(generation), name);
    const response = await soon(fetch(`${at}/socket.io/${name}`), name);
    const bytes = Buffer.from(await response.arrayBuffer());
    if (!fs.existsSync(file)) {
      check(`${generation}: ${name} is not in the package, and not served`, response.status === 404, response.status);
      continue;
    }
    const header = (key) => response.headers.get(key);
    const type = name.endsWith(".map") ? "application/json; charset=utf-8" : "application/javascript; charset=utf-8";
    equal(`${generation}: ${name}`, [response.status, header("content-type"), header("cache-control"), bytes.equals(fs.readFileSync(file))],
      [200, type, "public, max-age=0", true]);
    const again = await soon(fetch(`${at}/socket.io/${name}`, { headers: { "If-None-Match": header("etag") } }), name);
    equal(`${generation}: ${name} is not sent to who has it`, [again.status, await again.text()], [304, ""]);
    const head = await curl("-I", `${at}/socket.io/${name}`);
    check(`${generation}: ${name} is as long as HEAD says`, head.toLowerCase().includes(`content-length: ${bytes.length}\r`), head);
  }
}

/** The page loads `io`, and talks by it. */
async function page(browser, origin, at, name) {
  const context = await browser.newContext();
  const visited = await context.newPage();
  visited.setDefaultTimeout(10_000);
  await visited.goto(origin);
  await visited.waitForFunction(() => typeof io === "function");
  const answer = await visited.evaluate((to) => new Promise((resolve, reject) => {
    const socket = io(to, { forceNew: true, reconnection: false });
    ["connect_error", "error"].forEach((event) => socket.on(event, (e) => reject(new Error(`${event}: ${e.message ?? e}`))));
    socket.on("data", (room, said) => resolve([room, said]));
    socket.on("connect", () => socket.emit("subscribe", "here", () => socket.emit("publish", "here", { n: 1 })));
  }), at);
  equal(`${name}: a page that has loaded it talks`, answer, ["here", { n: 1 }]);
  await context.close();
}

async function others(browser, origin, at, show) {
  show(`<script src="${at}/socket.io/socket.io.min.js"></script>`);
  await page(browser, origin, at, "socket.io.min.js");
  show(`<script type="module">import { io } from "${at}/socket.io/socket.io.esm.min.js"; window.io = io;</script>`);
  await page(browser, origin, at, "socket.io.esm.min.js, a module of another origin");
}

async function cookie(at, generation) {
  const revision = Number(generation) < 3 ? 3 : 4;
  const opened = await soon(fetch(`${at}/socket.io/?EIO=${revision}&transport=polling`), "a session");
  const { sid } = JSON.parse((await opened.text()).replace(/^[^{]*/, ""));
  equal(`${generation}: a cookie has the session's id`, opened.headers.get("set-cookie"), `io=${sid}; Path=/; HttpOnly; SameSite=Lax`);
}

/** How many are in a room. Nobody is told anything by that, so that a poll that waits goes on waiting. */
async function members(at, room) {
  const { channels } = JSON.parse(await curl(`${at}/c`));
  return channels.find((c) => c.channel === room)?.members ?? 0;
}

/** A program by polls is killed while it waits. Its next ping would be due after 25 s. */
async function killed(at, generation) {
  // The library polls again before or right after it tells of an answer. It says that it waits when what it has asked
  // after that has been answered.
  const script = `const io = require("socket.io-client-${generation}");
const socket = io("${at}", { transports: ["polling"], reconnection: false });
const asked = async () => { for (let i = 0; i < 20; i += 1) await (await fetch("${at}/c")).text(); };
socket.on("connect", () => socket.emit("subscribe", "lost", () => asked().then(() => console.log("waits"))));`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await soon(new Promise((resolve) => child.stdout.once("data", resolve)), "a poll");
  equal(`${generation}: a program that polls is a member`, await members(at, "lost"), 1);
  child.kill("SIGKILL");
  const end = Date.now() + 10_000;
  let left = 1;
  while (left > 0 && Date.now() < end) left = await members(at, "lost");
  equal(`${generation}: killed, it is none, and no ping was waited for`, left, 0);
}

/** What cannot be served is said at the start. */
async function refused(folder) {
  const config = path.join(folder, "wrong.toml");
  fs.writeFileSync(config, `dialect.socketio.client = ${JSON.stringify(folder)}\n`);
  const said = await soon(new Promise((resolve) => {
    const child = spawn(process.env.CHAPPE_BINARY, ["serve", "--config", config], { stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.on("data", (piece) => { text += piece; });
    child.on("close", (code) => resolve(`${code} ${text}`));
  }), "a refusal");
  check("a folder without the library is refused by name", /^[1-9].*dialect\.socketio\.client: cannot read .*socket\.io\.js/s.test(said), said);
}
