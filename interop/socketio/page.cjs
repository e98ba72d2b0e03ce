// A page in a browser with the client library as it is published: from an origin that is allowed, by polls, a WebSocket
// and from one to the other; and from one that is not.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { check, equal, run } = require("peers.cjs");
const { browse, curl, freePort, listen } = require("browser.cjs");
const { GENERATIONS, WAYS } = require("socketio.cjs");

/** Where a generation keeps the library for browsers. */
function bundle(generation) {
  const folder = path.join(path.dirname(require.resolve(`socket.io-client-${generation}/package.json`)), "dist");
  return ["socket.io.min.js", "socket.io.js"].map((name) => path.join(folder, name)).find((file) => fs.existsSync(file));
}

/** Serves empty pages, each with a generation's library. */
function pages() {
  const server = http.createServer((request, response) => {
    const script = request.url.match(/^\/(\d)\.js$/);
    response.setHeader("Content-Type", script ? "text/javascript" : "text/html");
    if (script) return response.end(fs.readFileSync(bundle(script[1])));
    response.end(`<!doctype html><meta charset="utf-8"><script src="${request.url}.js"></script>`);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

run(() => browse(async (browser) => {
  const [pageServer, port] = [await pages(), await freePort()];
  const at = pageServer.address().port;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chappe-socketio-"));
  const config = path.join(folder, "chappe.toml");
  // A listener that names origins knows no others, not even pages of this machine.
  fs.writeFileSync(config, `admin = { address = "off" }
[[listener]]
address = "127.0.0.1:${port}"
origins = ["http://127.0.0.1:${at}"]
`);
  const server = listen(process.env.CHAPPE_BINARY, "serve", "--config", config, "--shards", "2");
  await server.heard("is listening at");
  const context = await browser.newContext();
  try {
    for (const generation of GENERATIONS) {
      for (const way of Object.keys(WAYS)) await talks(context, `http://127.0.0.1:${at}/${generation}`, port, generation, way);
    }
    await stranger(context, `http://localhost:${at}/4`, port);
  } finally {
    await server.end();
    pageServer.close();
    fs.rmSync(folder, { recursive: true });
  }
}));

async function visit(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  await page.goto(address);
  return page;
}

async function talks(context, address, port, generation, way) {
  const name = `${generation}, ${way}`;
  const page = await visit(context, address);
  const subscribed = await page.evaluate(([to, transports]) => new Promise((resolve, reject) => {
    const socket = io(to, { transports, forceNew: true, reconnection: false });
    Object.assign(window, { socket, heard: [] });
    ["connect_error", "error"].forEach((event) => socket.on(event, (e) => reject(new Error(`${event}: ${e.message ?? e}`))));
    socket.on("data", (room, said) => heard.push([room, said instanceof ArrayBuffer ? [...new Uint8Array(said)] : said]));
    socket.on("connect", () => socket.emit("subscribe", "page", (...all) => resolve(all)));
  }), [`http://127.0.0.1:${port}`, WAYS[way]]);
  equal(`${name}: a page of an allowed origin subscribes`, subscribed, []);
  const carried = way === "polling" ? "polling" : "websocket";
  await page.waitForFunction((wanted) => socket.io.engine.transport.name === wanted, carried);
  await page.evaluate(() => {
    socket.emit("publish", "page", { by: "page", n: 1.5 });
    socket.emit("publish", "page", new Uint8Array([0, 255, 1]).buffer);
  });
  await page.waitForFunction(() => heard.length === 2);
  await curl("-d", '"from curl"', `http://127.0.0.1:${port}/c/page`);
  await page.waitForFunction(() => heard.length === 3);
  equal(`${name}: and hears itself, bytes, and curl`, await page.evaluate(() => heard),
    [["page", { by: "page", n: 1.5 }], ["page", [0, 255, 1]], ["page", "from curl"]]);
  await page.evaluate(() => socket.close());
  await page.close();
}

/** The same page, under a name that is not allowed. */
async function stranger(context, address, port) {
  const page = await visit(context, address);
  for (const transports of Object.values(WAYS)) {
    const came = await page.evaluate(([to, ways]) => new Promise((resolve) => {
      const socket = io(to, { transports: ways, forceNew: true, reconnection: false });
      socket.on("connect", () => resolve("connected"));
      socket.on("connect_error", () => resolve("refused"));
    }), [`http://127.0.0.1:${port}`, transports]);
    check(`a page of another origin is refused: ${transports}`, came === "refused", came);
  }
  await page.close();
}
