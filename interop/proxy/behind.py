"""Behind real proxies: WebSockets and streams work through them, and it is who is behind them that counts."""

import contextlib
import json

from peers import Rooms, Stream, check, curl, dial, equal, fresh, run, soon
from proxies import haproxy, nginx
from servers import folder, server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

CONFIG = """
proxies = ["127.0.0.1"]
[limits]
unauthenticated_per_address = 2
publish_rate = 0
[[listener]]
address = "127.0.0.1:0"
[[listener]]
address = "127.0.0.1:0"
proxy_protocol = true
[[auth.token]]
name = "ann"
token = "sesame"
grants = ["READ **", "WRITE **"]
[anonymous]
grants = ["READ **", "WRITE **"]
"""


async def main():
    async with folder() as place, contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(server(place, CONFIG))
        plain, announced = running.port(), running.port(1)
        ngx = await stack.enter_async_context(nginx(place, plain))
        http, version_2, version_1 = await stack.enter_async_context(haproxy(place, plain, announced))
        for name, port in (("nginx", ngx), ("HAProxy", http)):
            await works(name, port)
            await forwarded(name, port, plain)
        for name, port in (("HAProxy by version 2", version_2), ("HAProxy by version 1", version_1)):
            await handed_on(name, port)
        await forged(plain)


async def works(name, port):
    at = f"http://localhost:{port}"
    async with Rooms.enter(at=f"ws://localhost:{port}") as one, Rooms.enter(at=f"ws://localhost:{port}") as two:
        room = fresh()
        await one.subscribe(room)
        for payload in ("hello", "x" * 1_900_000, *range(500)):
            await two.say({"event": room, "payload": payload})
        heard = [json.loads(await one.hear())["payload"] for _ in range(502)]
        equal(f"{name}: WebSockets come through, whole and in order", heard == ["hello", "x" * 1_900_000, *range(500)], True)
        async with Stream.open(f"/c/{room}", at=at) as stream:
            reply = await curl("-d", '{"n":1}', f"{at}/c/{room}")
            equal(f"{name}: curl publishes", (reply.status, reply.json()), (202, {"members": 2}))
            check(f"{name}: and a stream hears at once", '{"n":1}' in await stream.line())
    reply = await curl(f"{at}/no/such/path")
    equal(f"{name}: problems come through", (reply.status, reply.type), (404, "application/problem+json"))


async def enter(stack, port, forwarded=None, header=b"", source="127.0.0.1", token=None):
    """Enters as a WebSocket; the status."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    sock = await dial(port, header, source)
    try:
        opening = connect("ws://localhost/", sock=sock, proxy=None, additional_headers=headers)
        await stack.enter_async_context(await soon(opening, "a WebSocket"))
        return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def forwarded(name, port, plain):
    async with contextlib.AsyncExitStack() as stack:
        seen = [await enter(stack, port, "192.0.2.1") for _ in range(3)]
        equal(f"{name}: the third of a forwarded address is told 429", seen, [101, 101, 429])
        seen = [await enter(stack, port, "192.0.2.2") for _ in range(3)]
        equal(f"{name}: another address has its own places", seen, [101, 101, 429])
        seen = await enter(stack, port, "192.0.2.7, 192.0.2.1")
        equal(f"{name}: what a client puts before is not looked at", seen, 429)
        seen = [await enter(stack, port, "192.0.2.1", source="127.0.0.2") for _ in range(3)]
        equal(f"{name}: somebody's own X-Forwarded-For is not believed", seen, [101] * 3)
    async with contextlib.AsyncExitStack() as stack:
        seen = [await enter(stack, port, "192.0.2.3", token="sesame") for _ in range(6)]
        equal(f"{name}: who is authenticated takes no place", seen, [101] * 6)
    for n in range(12):
        await curl("-H", "X-Forwarded-For: 192.0.2.4", f"http://localhost:{port}/healthz")
    async with contextlib.AsyncExitStack() as stack:
        seen = [await enter(stack, port, "192.0.2.4") for _ in range(3)]
        equal(f"{name}: requests that were answered take none", seen, [101, 101, 429])


async def handed_on(name, port):
    async with contextlib.AsyncExitStack() as stack:
        announce = lambda ip: f"PROXY TCP4 {ip} 192.0.2.200 1 2\r\n".encode()
        seen = [await enter(stack, port, header=announce("192.0.2.1")) for _ in range(3)]
        equal(f"{name}: the third of an address is told 429", seen, [101, 101, 429])
        seen = await enter(stack, port, header=announce("192.0.2.2"))
        equal(f"{name}: another is let in", seen, 101)
        seen = await enter(stack, port, "192.0.2.3", header=announce("192.0.2.1"))
        equal(f"{name}: whose X-Forwarded-For is his own", seen, 429)
    async with contextlib.AsyncExitStack() as stack:
        sock = await dial(port, announce("192.0.2.5"))
        ws = await stack.enter_async_context(connect("ws://localhost/", sock=sock, proxy=None, max_size=4 << 20))
        await soon(ws.recv(), "the greeting")
        room = fresh()
        await ws.send(json.dumps({"event": "subscribe", "payload": [room]}))
        await soon(ws.recv(), "the answer")
        big = json.dumps({"event": room, "payload": "y" * 2_000_000}, separators=(",", ":"))
        await ws.send(big)
        equal(f"{name}: 2 MB each way", await soon(ws.recv(), "2 MB") == big, True)


async def forged(plain):
    async with contextlib.AsyncExitStack() as stack:
        seen = [await enter(stack, plain, "192.0.2.6", source="127.0.0.2") for _ in range(4)]
        equal("a stranger's X-Forwarded-For takes no place of who is named", seen, [101] * 4)
        seen = [await enter(stack, plain, "192.0.2.6") for _ in range(3)]
        equal("and a proxy's does", seen, [101, 101, 429])


run(main)
