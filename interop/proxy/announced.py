"""The PROXY protocol by hand-made bytes: who is believed, what is counted, and what is wrong ends."""

import asyncio
import ipaddress
import socket
import ssl
import struct

from peers import DEADLINE, check, dial, equal, run, soon
from servers import certificate, folder, server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR, SIX = ipaddress.IPv4Address, ipaddress.IPv6Address


def one(source):
    family = "TCP4" if "." in source else "TCP6"
    other = "192.0.2.200" if "." in source else "2001:db8::200"
    return f"PROXY {family} {source} {other} 5000 443\r\n".encode()


def two(source, extras=b"", command=0x21):
    if "." in source:
        family, addresses = 0x11, FOUR(source).packed + FOUR("192.0.2.200").packed
    else:
        family, addresses = 0x21, SIX(source).packed + SIX("2001:db8::200").packed
    body = addresses + struct.pack("!HH", 5000, 443) + extras
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


async def main():
    async with folder() as place:
        cert, key = certificate(place, "local", "localhost")
        proxied = '[[listener]]\naddress = "127.0.0.1:0"\nproxy_protocol = true\n'
        limits = "[limits]\nunauthenticated_per_address = 2\nhead_timeout = 2\n"
        config = (
            f'insecure = true\nproxies = ["127.0.0.1", "::ffff:127.0.0.7", "10.0.0.0/8"]\n{limits}{proxied}{proxied}'
            f'[[listener.tls]]\ncert = "{cert}"\nkey = "{key}"\n'
        )
        async with server(place, config) as running:
            await counted(running.port())
            await spoken(running.port(), running.port(1), cert)
            await wrong(running)


async def enter(port, header, **options):
    """A WebSocket behind such a header; the status when it is refused."""
    try:
        return await soon(
            connect("ws://localhost/", sock=await dial(port, header), proxy=None, **options), "a WebSocket"
        )
    except InvalidStatus as refused:
        return refused.response.status_code


async def counted(port):
    # Each with addresses of its own: who has gone may be counted for a moment still.
    for what, header, here, there in (("version 1", one, 1, 2), ("version 2", two, 3, 4)):
        here, there = f"192.0.2.{here}", f"192.0.2.{there}"
        inside = [await enter(port, header(here)) for _ in range(3)]
        equal(f"{what}: the third of an address is told 429", inside[2], 429)
        other = await enter(port, header(there))
        check(f"{what}: another address is let in", other != 429, other)
        await inside[0].close()
        # A place is given back when the server sees the end, which is soon but not at once.
        for _ in range(100):
            again = await enter(port, header(here))
            if again != 429:
                break
            await asyncio.sleep(0.02)
        check(f"{what}: who goes makes room", again != 429, again)
        for ws in (inside[1], other, again):
            await ws.close()
    houses = [await enter(port, two(f"2001:db8:1:2::{n}")) for n in range(3)]
    equal("addresses of one house count together", houses[2], 429)
    for ws in houses[:2]:
        await ws.close()
    # A proxy that names a proxy, or nobody, speaks for no stranger.
    for what, header in (("its own address", two("127.0.0.1")), ("a proxy", one("10.1.2.3"))):
        many = [await enter(port, header) for _ in range(4)]
        check(f"connections from {what} are not counted", 429 not in many, many)
        for ws in many:
            await ws.close()


async def ask(port, header, pieces=1, tail=b""):
    """What is answered to a request behind a header, sent in so many pieces."""
    sock = await dial(port)
    sent = header + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" + tail
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader, writer = await asyncio.open_connection(sock=sock)
    size = -(-len(sent) // pieces)
    try:
        for at in range(0, len(sent), size):
            writer.write(sent[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)
        return await soon(reader.read(), "an answer", DEADLINE)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def spoken(port, tls_port, cert):
    good = {
        "version 1": one("192.0.2.9"),
        "version 1 of IPv6": one("2001:db8::9"),
        "version 1 of nobody": b"PROXY UNKNOWN\r\n",
        "version 1 of nobody, with words": b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        "version 2": two("192.0.2.9"),
        "version 2 of IPv6": two("2001:db8::9"),
        "version 2 for itself": SIGNATURE + b"\x20\x00\0\0",
        "version 2 with extras": two("192.0.2.9", b"\x04\x01\x00" + b"n" * 256),
        "version 2 of a unix socket": SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216),
    }
    for what, header in good.items():
        for pieces in (1, 7, 10_000):
            said = await ask(port, header, pieces)
            equal(f"{what} in {min(pieces, len(header))} pieces is answered", said.count(b" 200 "), 1)
    # Behind the header, TLS.
    context = ssl.create_default_context(cafile=str(cert))
    for header in (one("192.0.2.9"), two("192.0.2.9")):
        sock = await dial(tls_port, header)
        reader, writer = await soon(
            asyncio.open_connection(sock=sock, ssl=context, server_hostname="localhost"), "a handshake"
        )
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        check("TLS behind a header", b" 200 " in await soon(reader.read(), "an answer"))
        writer.close()


async def wrong(running):
    port, before = running.port(), running.descriptors()
    # Somebody who is none of the proxies, with a header that is in order.
    sock = await dial(port, source="127.0.0.2")
    reader, writer = await asyncio.open_connection(sock=sock)
    writer.write(one("192.0.2.9") + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        equal("a forged header is dropped without a word", await soon(reader.read(), "the end"), b"")
    except ConnectionError:
        check("a forged header is dropped without a word", True)
    writer.close()
    said = running.log.read_text()
    check("and the log of who looks closely says why", "comes from none of `proxies`" in said, said[-1500:])
    for what, header in {
        "no header": b"",
        "a header of version 3": SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
        "a command that there is not": SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
        "a family that there is not": SIGNATURE + b"\x21\x51\x00\x0c" + bytes(12),
        "addresses that are cut": SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
        "a header that is too long": SIGNATURE + b"\x21\x11\xff\xff" + bytes(3000),
        "a line that does not end": b"PROXY TCP4 " + b"1" * 3000,
        "a name for an address": b"PROXY TCP4 localhost 192.0.2.1 1 2\r\n",
        "two headers": one("192.0.2.9") + one("192.0.2.10"),
        "a header behind a line": b"\r\n" + one("192.0.2.9"),
    }.items():
        said = await ask(port, header)
        check(f"{what}: nothing is answered but what is wrong", b" 200 " not in said, said)
    for begun in (b"", SIGNATURE[:5], b"PROXY TCP4 192.0.2."):
        reader, writer = await asyncio.open_connection(sock=await dial(port, begun))
        try:
            said = await soon(reader.read(), "the end")
        except ConnectionError:
            said = b""
        equal(f"a header that does not come, {len(begun)} bytes of it, ends in time", said, b"")
        writer.close()
    for _ in range(100):
        if running.descriptors() <= before:
            break
        await asyncio.sleep(0.1)
    equal("no connection of theirs is left", max(running.descriptors(), before), before)


run(main)
