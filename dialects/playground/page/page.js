// The playground's page. It uses the server as anybody can: one NDJSON stream of all joined channels, and POST.
// What others say reaches the document as text only. The token is kept in a variable, nowhere else.

const ROWS = 500; // rows on the page, and rows that wait while it is paused
const SHOWN = 2000; // characters of one payload
const JOINED = 64; // channels joined at once
const LINGER = 500; // ms that a stream is read on after its successor has begun
const SLOWEST = 8000; // ms between two attempts to connect
const GIVE_UP = 20_000; // ms that an answer is waited for
const PATIENCE = 6000; // ms after which an answer that does not come is remarked upon
const ASLEEP = 60_000; // ms of silence after which a stream is not trusted by a person who comes back

const $ = (id) => document.getElementById(id);
const bytes = new TextEncoder();

function make(tag, { role, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (role) element.setAttribute("role", role);
  element.append(...children);
  return element;
}

// ---- Signs: the positions of Chappe's telegraph, one for each name ----

const ARMS = [45, 90, 135, 225, 270, 315];
const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Angles of the beam and of its two arms. */
function angles(name) {
  let hash = 2166136261; // FNV-1a
  for (const byte of bytes.encode(name)) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
  return [45 * (hash % 4), ARMS[(hash >>> 4) % 6], ARMS[(hash >>> 12) % 6]];
}

/** Fills an `svg` with the parts of a telegraph, and returns what turns. */
function build(svg) {
  const left = drawn("g", {}, drawn("line", { x2: 5.5 }));
  const right = drawn("g", {}, drawn("line", { x2: -5.5 }));
  const beam = drawn("g", {},
    drawn("line", { x1: -6, x2: 6 }),
    drawn("g", { transform: "translate(-6 0)" }, left),
    drawn("g", { transform: "translate(6 0)" }, right));
  svg.append(drawn("line", { class: "mast", y2: 11 }), beam);
  return [beam, left, right];
}

function set(parts, positions) {
  parts.forEach((part, i) => { part.style.rotate = `${positions[i]}deg`; });
}

function sign(name) {
  const svg = drawn("svg", { class: "sign", viewBox: "-12 -12 24 24", "aria-hidden": "true" });
  set(build(svg), angles(name));
  return svg;
}

const telegraph = build($("telegraph"));
set(telegraph, [0, 270, 270]);

// ---- What is said to the person ----

function show(state, words) {
  $("state").dataset.state = state;
  $("state").textContent = words;
}

function note(words, wrong = false) {
  $("notice").dataset.kind = wrong ? "wrong" : "";
  $("notice").textContent = words;
}

const purpose = $("token-about").textContent;

/** What stands under the field for the token. */
function explain(words, wrong = false) {
  $("token-about").dataset.kind = wrong ? "wrong" : "";
  $("token-about").textContent = words;
}

const counted = (n, thing) => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;

// ---- Messages ----

let heard = 0;
let waiting = []; // rows to be shown, oldest first
let scheduled = false;
let held = ""; // why nothing is added at the moment: "button", "scroll" or nothing

/** JSON whose numbers keep all their digits where the browser can. */
function parse(line) {
  const exact = (_, value, context) =>
    typeof value === "number" && context && JSON.rawJSON && String(value) !== context.source
      ? JSON.rawJSON(context.source)
      : value;
  return JSON.parse(line, exact);
}

/** A line of the stream: a message, a gap, or the sign of life that is empty. */
function hear(line) {
  if (line === "") return;
  const told = parse(line);
  if (!("payload" in told)) {
    const words = told.missed == null ? "Messages are missing here." : `${counted(told.missed, "message")} missed here.`;
    return enqueue({ words });
  }
  heard += 1;
  if (told.position) position = { channel: told.channel, at: told.position };
  const channel = channels.get(told.channel);
  if (channel) channel.heard += 1;
  enqueue(told);
}

function enqueue(item) {
  waiting.push(item);
  if (waiting.length > ROWS) waiting.shift();
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(flush);
}

function flush() {
  scheduled = false;
  const log = $("log");
  if (!held && waiting.length > 0) {
    const last = waiting.at(-1);
    log.append(...waiting.map(row));
    waiting = [];
    while (log.childElementCount > ROWS) log.firstElementChild.remove();
    log.scrollTop = log.scrollHeight;
    set(telegraph, angles(JSON.stringify([last.channel, last.time, last.payload])));
  }
  tally();
}

function tally() {
  const rows = $("log").childElementCount;
  $("counts").textContent = heard > ROWS ? `${counted(heard, "message")}, the last ${ROWS} are kept` : counted(heard, "message");
  $("empty").hidden = rows > 0 || waiting.length > 0;
  $("newer").hidden = !held || waiting.length === 0;
  $("newer").textContent = `${waiting.length === ROWS ? `${ROWS} or more` : waiting.length} new ↓`;
  for (const channel of channels.values()) {
    channel.count.textContent = channel.heard > 0 ? channel.heard.toLocaleString("en") : "";
  }
}

function clock(time) {
  const date = new Date(time);
  if (Number.isNaN(date.valueOf())) return make("time", { className: "time" });
  const two = (n) => String(n).padStart(2, "0");
  const text = `${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  return make("time", { className: "time", dateTime: date.toISOString(), title: date.toLocaleString(), textContent: text });
}

function payload(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const cell = make("span", { className: "payload", textContent: text.slice(0, SHOWN) });
  if (text.length > SHOWN) cell.append(make("i", { textContent: ` … ${counted(text.length, "character")} in all` }));
  return cell;
}

function row(item) {
  if (item.words) return make("div", { className: "row remark", role: "row" }, make("span", { role: "cell", textContent: item.words }));
  const name = item.channel ?? "everybody";
  const cells = [
    clock(item.time),
    make("span", { className: "channel", title: name }, sign(name), make("span", { textContent: name })),
    make("span", { className: "event", textContent: item.event ?? "" }),
    make("span", { className: "publisher", textContent: item.publisher ?? "" }),
    payload(item.payload),
  ];
  for (const cell of cells) cell.setAttribute("role", "cell");
  return make("div", { className: "row new", role: "row" }, ...cells);
}

/** Stops adding rows, or adds those that waited. */
function hold(why) {
  held = why;
  $("pause").setAttribute("aria-pressed", String(held === "button"));
  $("pause").textContent = held ? "Resume" : "Pause";
  if (held) tally();
  else {
    $("log").scrollTop = $("log").scrollHeight;
    flush();
  }
}

$("pause").addEventListener("click", () => hold(held ? "" : "button"));
$("newer").addEventListener("click", () => {
  hold("");
  $("log").focus();
});
$("log").addEventListener("scroll", () => {
  const log = $("log");
  const low = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
  if (!low && !held) hold("scroll");
  if (low && held === "scroll") hold("");
});
new ResizeObserver(() => {
  if (!held) $("log").scrollTop = $("log").scrollHeight;
}).observe($("log"));
$("clear").addEventListener("click", () => {
  heard = 0;
  waiting = [];
  $("log").replaceChildren();
  for (const channel of channels.values()) channel.heard = 0;
  hold("");
  note("The messages were cleared from this page.");
});

// ---- Listening ----

const channels = new Map(); // by name: how many were heard, and where that is shown
let token = "";
let stream = null; // what is heard
let opening = null; // what will be, when its head has come
let lingering = 0; // streams that have a successor and are still read
let overlap = null; // while several streams are read: how often each line was shown
let position = null; // of the last message and in which channel, where that keeps a window
let attempt = 0;
let retry = 0;

class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

const credentials = () => (token ? { Authorization: `Bearer ${binary(token)}` } : {});

/** UTF-8 as a header wants it: a character for each byte. */
const binary = (text) => String.fromCharCode(...bytes.encode(text));

async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  return new Refused(response.status, problem.detail ?? `The server answered ${response.status}.`);
}

class Stream {
  constructor(names) {
    this.names = names;
    this.control = new AbortController();
    this.seen = new Map();
    this.latest = performance.now();
  }

  async open() {
    const path = this.names.map(encodeURIComponent).join(",");
    const goesOn = this.names.length === 1 && !stream && position?.channel === this.names[0];
    const since = goesOn ? `?since=${position.at}` : "";
    this.resumes = goesOn;
    const options = { headers: credentials(), cache: "no-store", signal: this.control.signal };
    const response = await fetch(`/c/${path}${since}`, options);
    if (!response.ok) throw await refusal(response);
    this.reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Reads until it ends, whichever way it does. */
  async read() {
    let rest = "";
    try {
      for (;;) {
        const { value, done } = await this.reader.read();
        if (done) return;
        this.latest = performance.now();
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        lines.filter((line) => this.first(line)).forEach(hear);
      }
    } catch (error) {
      if (error instanceof SyntaxError) note(`The stream cannot be read: ${error.message}`, true);
    } finally {
      this.close();
    }
  }

  /** Whether no other stream has shown this line. Equal lines are told apart by how many there were. */
  first(line) {
    if (!overlap) return true;
    const mine = (this.seen.get(line) ?? 0) + 1;
    this.seen.set(line, mine);
    if (mine <= (overlap.get(line) ?? 0)) return false;
    overlap.set(line, mine);
    return true;
  }

  close() {
    this.control.abort();
  }
}

/** Listens to what `channels` holds. The stream before is read until the new one has begun: nothing falls between. */
async function connect() {
  clearTimeout(retry);
  opening?.close();
  opening = null;
  const names = [...channels.keys()];
  if (names.length === 0) {
    stream?.close();
    stream = null;
    alone();
    return show("idle", "Not listening: join a channel");
  }
  const next = (opening = new Stream(names));
  if (stream) overlap ??= new Map();
  else show("connecting", attempt > 0 ? "Connection lost; trying again…" : "Connecting…");
  const late = setTimeout(() => next.close(), GIVE_UP);
  const crowded = setTimeout(() => {
    const words = "No answer yet. A browser opens six connections to a server: are there many of these pages?";
    if (stream) note(words, true);
    else show("connecting", words);
  }, PATIENCE);
  try {
    await next.open();
  } catch (error) {
    if (next === opening) failed(error, next);
    return;
  } finally {
    clearTimeout(late);
    clearTimeout(crowded);
  }
  if (next !== opening) return next.close();
  opening = null;
  began(next);
}

function began(next) {
  const before = stream;
  if (attempt > 0 && !next.resumes) enqueue({ words: "Connected again. What was said meanwhile is not shown." });
  attempt = 0;
  stream = next;
  explain(purpose);
  show("connected", `Connected to ${location.host}`);
  if (before) {
    lingering += 1;
    setTimeout(() => {
      before.close();
      lingering -= 1;
      alone();
    }, LINGER);
  }
  next.read().then(() => {
    if (stream !== next) return;
    stream = null;
    if (!opening) again();
  });
}

/** Forgets which lines were shown when no other stream can bring them again. */
function alone() {
  if (opening || lingering > 0) return;
  overlap = null;
  stream?.seen.clear();
}

function failed(error, next) {
  opening = null;
  alone();
  const lasting = error instanceof Refused && error.status < 500 && error.status !== 429;
  if (!lasting) {
    if (!stream) again();
    else retry = setTimeout(connect, SLOWEST / 4);
    return;
  }
  if (stream) {
    // Those that were heard before are still heard.
    for (const name of next.names) if (!stream.names.includes(name)) forget(name);
    note(`Refused: ${error.message}.`, true);
    return;
  }
  const words = error.status === 401 && !token ? "This server asks for a token" : `Refused: ${error.message}`;
  show("refused", words);
  if (error.status !== 401) return;
  explain(`${words}.`, true);
  $("token").focus();
}

function again() {
  attempt += 1;
  const wait = Math.min(SLOWEST, 250 * 2 ** attempt) * (0.7 + 0.6 * Math.random());
  show("connecting", "Connection lost; trying again…");
  clearTimeout(retry);
  retry = setTimeout(connect, wait);
}

/** A laptop that was asleep may believe in a connection that is gone. */
function doubt() {
  const silent = stream && performance.now() - stream.latest > ASLEEP;
  if (document.visibilityState === "visible" && (silent || (attempt > 0 && !stream))) connect();
}
document.addEventListener("visibilitychange", doubt);
addEventListener("online", doubt);

function add(name) {
  if (channels.has(name)) return false;
  const count = make("span", { className: "count" });
  const use = make("button", { type: "button", className: "name", title: "Publish to it", textContent: name });
  const leave = make("button", { type: "button", className: "leave", textContent: "×" });
  leave.setAttribute("aria-label", `Leave ${name}`);
  const chip = make("li", {}, sign(name), use, count, leave);
  use.addEventListener("click", () => {
    $("to").value = name;
    write();
    $("payload").focus();
  });
  leave.addEventListener("click", () => {
    forget(name);
    $("join").focus();
    note(`Left ${name}.`);
    connect();
  });
  channels.set(name, { heard: 0, count, chip });
  $("channels").append(chip);
  return true;
}

function forget(name) {
  channels.get(name)?.chip.remove();
  channels.delete(name);
  remember();
}

/** Keeps the names in the address, where a reload and a bookmark find them. It is not sent to the server. */
function remember() {
  const names = [...channels.keys()];
  history.replaceState(null, "", names.length > 0 ? `#${names.map(encodeURIComponent).join(",")}` : location.pathname);
  $("known").replaceChildren(...names.map((value) => make("option", { value })));
  write();
}

function remembered() {
  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return "";
    }
  };
  return location.hash.slice(1).split(",").map(decode);
}

/** Joins those that are not joined yet; is done when they are, or were refused. */
async function join(names) {
  let news = false;
  for (const name of names.map((n) => n.trim()).filter(Boolean)) {
    if (name === "." || name === "..") note(`A browser cannot ask for a channel called ${name}`, true);
    else if (channels.size >= JOINED && !channels.has(name)) note(`This page joins at most ${JOINED} channels.`, true);
    else news = add(name) || news;
  }
  if (!news) return;
  remember();
  await connect();
}

$("join-form").addEventListener("submit", (submission) => {
  submission.preventDefault();
  const names = $("join").value.split(",");
  $("join").value = "";
  join(names);
});
$("token-form").addEventListener("submit", (submission) => {
  submission.preventDefault();
  token = $("token").value.trim();
  stream?.close();
  stream = null;
  attempt = 0;
  note(token ? "The token is used from here on." : "No token is used from here on.");
  connect();
});
addEventListener("hashchange", () => join(remembered()));

// ---- Publishing ----

async function publish() {
  const to = $("to").value.trim();
  const kind = $("publish").elements.kind.value;
  const body = $("payload").value;
  if (kind === "json") {
    try {
      JSON.parse(body);
    } catch (error) {
      return note(`This is not JSON. ${error.message}.`, true);
    }
  }
  // Who speaks wants to hear it arrive.
  await Promise.race([join([to]), new Promise((late) => setTimeout(late, 3000))]);
  const headers = {
    "Content-Type": kind === "json" ? "application/json" : "text/plain; charset=utf-8",
    ...credentials(),
  };
  if ($("event").value.trim()) headers["X-Event"] = binary($("event").value.trim());
  let response;
  try {
    response = await fetch(`/c/${encodeURIComponent(to)}`, { method: "POST", headers, body });
    if (!response.ok) throw await refusal(response);
  } catch (error) {
    return note(error instanceof Refused ? `Refused: ${error.message}.` : "The server cannot be reached; nothing was published.", true);
  }
  const { members } = await response.json();
  note(`Published to ${to}, which has ${counted(members, "member")}.`);
  if (document.activeElement === $("payload")) $("payload").select();
}

$("publish").addEventListener("submit", (submission) => {
  submission.preventDefault();
  publish();
});
$("payload").addEventListener("keydown", (key) => {
  if (key.key !== "Enter" || key.shiftKey || key.isComposing) return;
  key.preventDefault();
  $("publish").requestSubmit();
});

// ---- Lines to paste ----

/** What the server writes where the address and the channel of a line belong. */
const { address, channel, lines } = JSON.parse($("paste-lines").textContent);
const host = address.slice(0, address.lastIndexOf(":"));
/** Names that mean nothing to a shell, to JSON or to a URL. */
const PLAIN = /^\w+([.:/-]\w+)*$/;

function addressed(line, to) {
  const secure = location.protocol === "https:";
  // The channel first: a host may have its word in its name.
  return line.replace(new RegExp(`\\b${channel}\\b`, "g"), to)
    .replaceAll(`http://${address}`, `${location.protocol}//${address}`)
    .replaceAll(`ws://${address}`, `${secure ? "wss" : "ws"}://${address}`)
    .replaceAll(address, location.host)
    .replaceAll(host, location.hostname);
}

const codes = lines.map(([name, line]) => {
  const code = make("code");
  const copy = make("button", { type: "button", textContent: "Copy" });
  copy.setAttribute("aria-label", `Copy the line for ${name}`);
  copy.addEventListener("click", async () => {
    await copied(code);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1600);
    note(`Copied. Paste it into a terminal, and look here.`);
    join([target()]);
  });
  $("lines").append(make("li", {}, make("div", { className: "top" }, make("h3", { textContent: name }), copy), code));
  return { code, line };
});

/** The clipboard is not there on pages that came without TLS from another machine. */
async function copied(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
}

/** The channel that the lines are about. */
function target() {
  const to = $("to").value.trim();
  return PLAIN.test(to) ? to : channel;
}

function write() {
  for (const { code, line } of codes) code.textContent = addressed(line, target());
  const to = $("to").value.trim();
  const why = to === target() || to === "" ? ", the channel named under Publish." : ": the name under Publish would have to be quoted.";
  $("lines-about").replaceChildren("The lines speak to ", make("b", { textContent: target() }), why);
}

$("to").addEventListener("input", write);

// ---- Begin ----

write();
if (remembered().every((name) => !name)) history.replaceState(null, "", `#${channel}`);
join(remembered());
// Not where a keyboard would come up and cover the page.
if (matchMedia("(min-width: 64rem)").matches) $("payload").select();
