"""Request smuggling: requests that two readers could understand differently, to the server and through real proxies.

The proxies let nobody publish to channels of canaries, and each case hides a request that would. A canary that sings
has heard a request that its proxy has not seen. Behind each case somebody else asks by the same connections, and gets
the answer to his own question: his origin stands in it.
"""

import asyncio
import contextlib
import re

from peers import Stream, check, curl, equal, fresh, run, soon
from proxies import haproxy, nginx
from servers import folder, server

CONFIG = '[limits]\nhead_timeout = 3\n[[listener]]\naddress = "127.0.0.1:0"\n'
# How long a case is read at most: many leave one side waiting for more, which is as it should be.
PATIENCE = 0.4


def hidden(canary):
    return f"POST /c/{canary} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n7"


def post(*lines, body="", target="/c/open", method="POST", version="HTTP/1.1", host="Host: localhost"):
    head = [f"{method} {target} {version}", *([host] if host else []), *lines]
    return "\r\n".join(head) + "\r\n\r\n" + body


def ambiguous(inner):
    """By name: what must be refused, and its connection with it."""
    ends = f"0\r\n\r\n{inner}"
    chunk = f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n"
    length, chunked = f"Content-Length: {len(ends)}", "Transfer-Encoding: chunked"
    yield "CL.TE", post(length, chunked, body=ends)
    yield "TE.CL", post(chunked, "Content-Length: 4", body=chunk)
    yield "CL.TE of length 0", post("Content-Length: 0", chunked, body=ends)
    for what, line in {
        "a space before the colon": "Transfer-Encoding : chunked",
        "another coding": "Transfer-Encoding: xchunked",
        "a list that does not end in chunked": "Transfer-Encoding: chunked, identity",
        "a list that ends in chunked": "Transfer-Encoding: identity, chunked",
        "a vertical tab": "Transfer-Encoding: \x0bchunked",
        "a null": "Transfer-Encoding: chunked\0",
        "quotes": 'Transfer-Encoding: "chunked"',
        "two lines": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "two lines, the first strange": "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "a folded line": "Transfer-Encoding:\r\n chunked",
        "a line folded into another": "X: x\r\n Transfer-Encoding: chunked",
        "a bare line feed before": "X: x\nTransfer-Encoding: chunked",
        "a bare carriage return before": "X: x\rTransfer-Encoding: chunked",
        "a bare line feed within": "Transfer-Encoding\n: chunked",
        "a leading space": " Transfer-Encoding: chunked",
        "nothing": "Transfer-Encoding:",
    }.items():
        yield f"Transfer-Encoding: {what}", post(line, body=ends)
        yield f"Transfer-Encoding: {what}, with a length", post(length, line, body=ends)
    size = len(inner)
    for what, lines in {
        "two that differ": ("Content-Length: 0", f"Content-Length: {size}"),
        "two that are alike": (f"Content-Length: {size}", f"Content-Length: {size}"),
        "a list": (f"Content-Length: {size}, {size}",),
        "a sign": (f"Content-Length: +{size}",),
        "less than nothing": ("Content-Length: -1",),
        "a space within": ("Content-Length: 0 1",),
        "hexadecimal": (f"Content-Length: 0x{size:x}",),
        "an exponent": ("Content-Length: 1e2",),
        "a fraction": ("Content-Length: 1.0",),
        "nothing": ("Content-Length:",),
        "more than any number": (f"Content-Length: {2**64 + size}",),
        "more than any signed number": (f"Content-Length: {2**63 + size}",),
        "a null": ("Content-Length: 0\0",),
        "a space before the colon": (f"Content-Length : {size}",),
        "a folded line": ("Content-Length:\r\n 0",),
        "a line without a colon": ("Content-Length 0",),
    }.items():
        yield f"Content-Length: {what}", post(*lines, body=inner)
    for what, body in {
        "more than any number": f"{2**64:x}\r\n\r\n{ends}",
        "more than any number, and a little": f"{2**64 + 5:x}\r\nhello\r\n{ends}",
        "less than nothing": f"-1\r\n\r\n{ends}",
        "a sign": f"+5\r\nhello\r\n{ends}",
        "0x": f"0x5\r\nhello\r\n{ends}",
        "a space before": f" 5\r\nhello\r\n{ends}",
        "nothing": f"\r\nhello\r\n{ends}",
        "no hexadecimal": f"5g\r\nhello\r\n{ends}",
        "a bare line feed": f"5\nhello\r\n{ends}",
        "a bare carriage return": f"5\rhello\r\n{ends}",
        "a line feed in an extension": f"5;a\nhello\r\n{ends}",
        "a chunk that is longer than it says": f"5\r\nhello!\r\n{ends}",
        "a chunk without its end": f"5\r\nhello{ends}",
        "a chunk that ends in a line feed": f"5\r\nhello\n{ends}",
        "trailers with a bare line feed": f"0\r\nX: x\n\r\n{inner}",
    }.items():
        yield f"chunks: {what}", post(chunked, body=body)
    yield "HTTP/1.0 with chunks", post(chunked, body=ends, version="HTTP/1.0")
    yield "two hosts", post("Host: other", f"Content-Length: {size}", body=inner)
    yield "no host", post(f"Content-Length: {size}", body=inner, host=None)
    yield "a host with a path", post(f"Content-Length: {size}", body=inner, host="Host: localhost/c/x")
    yield "a space before the colon of the host", post(body=inner, host="Host : localhost")
    yield "a space in the target", post(f"Content-Length: {size}", body=inner, target="/c/open HTTP/1.1\t/x")
    yield "HTTP/2.0", post(f"Content-Length: {size}", body=inner, version="HTTP/2.0")
    yield "HTTP/0.9", f"GET /c/open\r\n\r\n{inner}"
    yield "a tab for a space", f"POST\t/c/open\tHTTP/1.1\r\nHost: localhost\r\n\r\n{inner}"
    yield "another end of the line", f"GET /healthz HTTP/1.1\nHost: localhost\n\n{inner}"


def lawful(inner):
    """By name: what can be understood in one way only, in which the hidden request is the body of another, or comes
    where nobody may know yet what it is."""
    size = f"Content-Length: {len(inner)}"
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    yield "a body of GET", post(size, body=inner, method="GET", target="/healthz")
    yield "a body of HEAD", post(size, body=inner, method="HEAD", target="/healthz")
    yield "a body of OPTIONS", post(size, "Origin: http://localhost", body=inner, method="OPTIONS")
    yield "a body of DELETE, which is 405", post(size, body=inner, method="DELETE")
    yield "a body where nothing is", post(size, body=inner, target="/no/such/path")
    yield "a body of a strange host", post(size, body=inner, host="Host: evil.example")
    yield "a body of a strange page", post(size, "Origin: https://evil.example", body=inner)
    yield "a body of a name that is refused", post(size, body=inner, target="/c/a%00b")
    yield "a body behind an Expect", post(size, "Expect: 100-continue", body=inner)
    yield "a body behind an Expect that there is not", post(size, "Expect: 200-ok", body=inner)
    yield "a body in one chunk", post("Transfer-Encoding: chunked", body=f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n")
    yield "a chunk with an extension", post(
        "Transfer-Encoding: chunked", body=f"{len(inner):x};a=b\r\n{inner}\r\n0\r\n\r\n"
    )
    yield "a body and a stream", post(size, body=inner, method="GET", target="/c/open")
    yield "a length that Connection names", post(size, "Connection: Content-Length", body=inner)
    yield "behind an Upgrade, before its 101", post(*upgrade, key, method="GET", target="/", body=inner)
    yield "behind an Upgrade of another version", post(*upgrade[:2], "Sec-WebSocket-Version: 12", key, method="GET",
                                                      target="/", body=inner)
    yield "behind an Upgrade without a key", post(*upgrade, method="GET", target="/", body=inner)
    yield "behind an Upgrade of a strange page", post(*upgrade, key, "Origin: https://evil.example", method="GET",
                                                     target="/", body=inner)
    yield "behind an Upgrade with a body", post(*upgrade, key, size, method="GET", target="/", body=inner)
    yield "behind a stream", post(method="GET", target="/c/open", body=inner)
    yield "a body that is too large", post("Content-Length: 999999999", body=inner)


async def main():
    async with folder() as place, contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(server(place, CONFIG))
        plain = running.port()
        ngx = await stack.enter_async_context(nginx(place, plain))
        http, *_ = await stack.enter_async_context(haproxy(place, plain))
        routes = {"direct": plain, "nginx": ngx, "HAProxy": http}
        await asyncio.gather(*(table(name, port, plain) for name, port in routes.items()))
        await understood(plain)
        for name in ("nginx", "HAProxy"):
            await two_clients(name, routes[name])


async def say(port, text):
    """Says it, and what is answered; and whether that was the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = bytearray()
    try:
        writer.write(text.encode("latin-1"))
        async with asyncio.timeout(PATIENCE):
            while part := await reader.read(65536):
                said += part
        return bytes(said), True
    except TimeoutError:
        return bytes(said), False
    except ConnectionError:
        return bytes(said), True
    finally:
        writer.close()


async def table(name, port, plain):
    canary = fresh(f"canary-{name}").lower()
    at = f"http://127.0.0.1:{plain}"
    async with Stream.open(f"/c/{canary}", at=at) as ear:
        count = 0

        async def silent(what):
            nonlocal count
            count += 1
            await curl("-d", str(1000 + count), f"{at}/c/{canary}")
            heard = await ear.line()
            assert str(1000 + count) in heard, f"{name}: {what}: the canary sang: {heard}"

        if name == "direct":
            said, _ = await say(plain, hidden(canary))
            heard = await ear.line()
            check("the hidden request would be heard", b" 202 " in said and "7" in heard, (said, heard))
        cases = 0
        for kind in (ambiguous, lawful):
            for what, text in kind(hidden(canary)):
                said, ended = await say(port, text)
                if name == "direct" and kind is ambiguous:
                    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", said)
                    good = len(statuses) == 1 and statuses[0][:1] in b"45" and ended
                    assert good, f"{what}: is not refused and ended: {said!r}, ended {ended}"
                await victim(name, port, what)
                await silent(what)
                cases += 1
        check(f"{name}: {cases} cases, and no canary has sung", cases > 90, cases)


async def victim(name, port, what):
    """Somebody else asks, and gets his own answer."""
    global asked
    asked += 1
    origin = f"http://localhost:{asked}"
    text = f"GET /c HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    said = (await soon(reader.read(), f"the victim's answer behind {what}")).decode()
    writer.close()
    own = said.startswith("HTTP/1.1 200 ") and f"access-control-allow-origin: {origin}\r" in said.lower()
    assert own, f"{name}: behind `{what}` somebody else got {said!r}"


asked = 0


async def understood(plain):
    """That the table is not content with a server that refuses everything."""
    canary = fresh("canary-pipeline")
    at = f"http://127.0.0.1:{plain}"
    async with Stream.open(f"/c/{canary}", at=at) as ear:
        for what, first in {
            "404": post("Content-Length: 3", body="abc", target="/no/such/path"),
            "405": post(method="DELETE"),
            "403": post(host="Host: evil.example"),
            "202": post("Transfer-Encoding: chunked", body="2;x=y\r\n42\r\n0\r\nX: x\r\n\r\n"),
        }.items():
            said, _ = await say(plain, first + hidden(canary))
            statuses = re.findall(r"HTTP/1\.1 (\d+) ", said.decode())
            equal(f"behind a {what} the next request is its own", statuses, [what, "202"])
            check("and heard", "7" in await ear.line())


async def two_clients(name, port):
    """Many requests of several clients at once over the one connection to the server: everybody gets his own answers."""

    async def client(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        own = 0
        for n in range(60):
            origin = f"http://localhost:{number * 1000 + n + 10_000}"
            target, body = (("/c", ""), ("/no/such", "x" * n), ("/c/open", "7"))[n % 3]
            method = "POST" if body else "GET"
            head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write((head + body).encode())
            answer = (await soon(reader.readuntil(b"\r\n\r\n"), "an answer")).decode().lower()
            if "transfer-encoding: chunked" in answer:
                while size := int(await soon(reader.readline(), "a chunk"), 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            else:
                await reader.readexactly(int(re.search(r"content-length: (\d+)", answer).group(1)))
            own += f"access-control-allow-origin: {origin}\r" in answer
        writer.close()
        return own

    answers = await asyncio.gather(*(client(number) for number in range(8)))
    equal(f"{name}: eight clients over one connection get their own answers", answers, [60] * 8)


run(main)
