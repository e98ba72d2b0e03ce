"""GET /metrics, read by Prometheus' own parsers: both formats, and values that move with what clients do."""

import asyncio
import contextlib
import json
import os
import socket
import struct

from peers import PORT, Rooms, check, curl, equal, fresh, run, soon, url
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

ADMIN = f"127.0.0.1:{os.environ['CHAPPE_ADMIN_PORT']}"
CUT = ("chappe_sessions_closed_total", "reason=slow_consumer")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


async def scrape():
    """Every sample by name and labels."""
    reply = await curl(url("/metrics", ADMIN))
    equal_quietly(reply.status, 200)
    families = read_prometheus(reply.body.decode())
    labels = lambda s: (f"{k}={v}" for k, v in sorted(s.labels.items()))
    return {(s.name, *labels(s)): s.value for f in families for s in f.samples}


def equal_quietly(seen, expected):
    if seen != expected:
        raise AssertionError(f"expected {expected!r}, seen {seen!r}")


async def grown(what, before, **by):
    """Waits until the counters have grown by at least so much: counts are shown at the end of a turn."""
    wanted = {tuple(key.split("__")): n for key, n in by.items()}
    wanted = {(f"chappe_{k[0]}", *(word.replace("_is_", "=") for word in k[1:])): n for k, n in wanted.items()}

    async def look():
        while True:
            now = await scrape()
            if all(now[key] - before[key] >= n for key, n in wanted.items()):
                return now
            await asyncio.sleep(0)

    now = await soon(look(), f"{what}: {wanted}")
    check(what, True)
    return now


def sessions_add_up(what, now):
    attached = now[("chappe_sessions_attached_total",)]
    closed = sum(v for k, v in now.items() if k[0] == "chappe_sessions_closed_total")
    is_open = sum(v for k, v in now.items() if k[0] == "chappe_sessions")
    equal(f"attached = closed + open, {what}", attached, closed + is_open)


async def main():
    await formats()
    await traffic()
    await refusals()
    await a_slow_reader()
    await a_crowd()


async def formats():
    plain = await curl(url("/metrics", ADMIN))
    equal("text by default", plain.fields["content-type"], "text/plain; version=0.0.4; charset=utf-8")
    first = {f.name: f for f in read_prometheus(plain.body.decode())}
    reply = await curl("-H", f"Accept: {OPENMETRICS}", url("/metrics", ADMIN))
    equal("OpenMetrics for those who ask", reply.fields["content-type"], f"{OPENMETRICS}; charset=utf-8")
    second = {f.name: f for f in read_openmetrics(reply.body.decode())}
    equal("the same families in both", sorted(first), sorted(second))
    equal("of the same types", {n: f.type for n, f in first.items()}, {n: f.type for n, f in second.items()})
    check("each says what it is", all(f.documentation for f in second.values()))
    equal("units are said", second["chappe_turn_seconds"].unit, "seconds")
    undocumented = [n for n in plain_names(plain.body.decode()) if f"`{n}`" not in page()]
    equal("each stands on the page", undocumented, [])


def plain_names(text):
    return [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]


def page():
    with open("docs/metrics.md", encoding="utf-8") as file:
        return file.read()


async def traffic():
    before = await scrape()
    sessions_add_up("before", before)
    async with contextlib.AsyncExitStack() as stack:
        room = await stack.enter_async_context(Rooms.enter())
        chat = fresh("chat")
        await room.subscribe(chat)
        joined = await grown("a client is a connection and a session", before, connections=1, sessions_attached_total=1)
        rooms = ("chappe_sessions", "dialect=rooms")
        equal("of its dialect", joined[rooms] - before[rooms], 1)
        check("its channels are there", joined[("chappe_channels", "vhost=/")] > before[("chappe_channels", "vhost=/")])
        reply = await curl("-H", "Content-Type: application/json", "-d", '"x"', url(f"/c/{chat}"))
        equal("published", reply.status, 202)
        await room.hear("what was published")
        now = await grown(
            "a message is published, delivered, measured",
            joined,
            messages_published_total=1,
            messages_delivered_total=1,
            encodings_total=1,
            delivery_latency_seconds_count=1,
            turn_seconds_count=1,
            received_bytes_total=50,
            sent_bytes_total=50,
            writes_total=1,
            reads_total=1,
        )
        await curl("-d", "1", url(f"/c/{fresh('empty')}"))
        await grown("a message nobody hears", now, messages_unheard_total=1)
    after = await grown("it leaves", before, sessions_closed_total__reason_is_done=1)
    sessions_add_up("after", after)


async def refusals():
    before = await scrape()
    await curl("-H", "Authorization: Bearer nobody", "-d", "1", url(f"/c/{fresh()}"))
    await curl(url("/no/such/path"))
    await grown(
        "a refused token and a path that is nobody's",
        before,
        refusals_total__rule_is_bad_token=1,
        http_rejections_total__status_is_404=1,
    )


async def a_slow_reader():
    """A member that does not read: bytes wait for it, and at the end it is closed."""
    before = await scrape()
    chat = fresh("slow")
    slow = socket.create_connection(("127.0.0.1", PORT))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    join = json.dumps({"event": "subscribe", "payload": [chat]}).encode()
    seen = b""
    while not seen.endswith(b"}"):
        seen += slow.recv(4096)
    slow.sendall(bytes([0x81, 0x80 | len(join)]) + struct.pack("4x") + join)
    while chat.encode() not in seen:
        seen += slow.recv(4096)
    most, body = 0, b"x" * (1 << 20)
    for _ in range(64):
        reply = await curl("-H", "Content-Type: text/plain", "--data-binary", "@-", url(f"/c/{chat}"), stdin=body)
        equal_quietly(reply.status, 202)
        now = await scrape()
        most = max(most, now[("chappe_pending_bytes",)])
        if now[CUT] > before[CUT]:
            break
    check("bytes wait for a slow reader", most > 1 << 20, most)
    await grown("who is closed as one", before, sessions_closed_total__reason_is_slow_consumer=1)
    slow.close()


async def a_crowd():
    """While clients come and go, every scrape adds up."""

    async def visit():
        async with Rooms.enter(fenced=False):
            pass

    visits = [asyncio.create_task(visit()) for _ in range(40)]
    for _ in range(10):
        now = await scrape()
        attached = now[("chappe_sessions_attached_total",)]
        others = sum(v for k, v in now.items() if k[0] in ("chappe_sessions_closed_total", "chappe_sessions"))
        equal_quietly(attached, others)
    await asyncio.gather(*visits)
    sessions_add_up("in a crowd", await scrape())
    equal("nobody panicked", (await scrape())[("chappe_panics_total",)], 0)


run(main)
