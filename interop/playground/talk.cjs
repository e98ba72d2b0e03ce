// The page beside curl: hearing, publishing, and hostile names and payloads.
"use strict";

const { HERE, check, equal, fresh, run } = require("peers.cjs");
const { browse, curl, listen, members, post, row, rows, visit, words } = require("browser.cjs");

const AT = `http://${HERE}`;

run(() => browse(async (browser) => {
  const context = await browser.newContext();
  await talks(context);
  await survives(context);
}));

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
