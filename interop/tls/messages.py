"""What is said over TLS comes whole and in order: large messages, bursts, streams, slow readers, stock clients."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
from pathlib import Path

from peers import Rooms, Stream, all_rooms, check, curl, equal, fresh, run, soon
from servers import certificate, folder, server

BIG = "x" * 2_000_000


async def main():
    async with folder() as place:
        cert, key = certificate(place, "local", "localhost")
        tls = f'[[listener.tls]]\ncert = "{cert}"\nkey = "{key}"\n'
        config = f'[limits]\npending_bytes = 16000000\n[[listener]]\naddress = "127.0.0.1:0"\n{tls}'
        async with server(place, config) as running:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context(cafile=str(cert))
                context.minimum_version = context.maximum_version = version
                await rooms(running.port(), context, version.name)
            await streams(running.port(), context, cert)
            await slow(running.port(), context)
            await stock(running.port(), cert)


async def rooms(port, context, version):
    at = f"wss://localhost:{port}"
    async with contextlib.AsyncExitStack() as stack:
        one, two, three = await all_rooms(stack, 3, at=at, ssl=context)
        room = fresh()
        await one.subscribe(room)
        await two.subscribe(room)
        big = json.dumps({"event": room, "payload": BIG}, separators=(",", ":"))
        await one.say(big)
        equal(f"{version}: 2 MB come whole to a member", (await two.hear()) == big, True)
        equal(f"{version}: and to who sent them", (await one.hear()) == big, True)

        messages = [f'{{"event":"{room}","payload":[{n},"{"y" * (n % 97)}"]}}' for n in range(3000)]

        async def say():
            for message in messages:
                await three.say(message)

        async def hear(peer):
            return [await peer.hear() for _ in messages]

        _, first, second = await asyncio.gather(say(), hear(one), hear(two))
        equal(f"{version}: a burst of 3000 comes in order", first == messages and second == messages, True)

        # Both directions at once, each larger than any buffer on the way.
        rooms = [fresh(), fresh()]
        await one.subscribe(rooms[0])
        await two.subscribe(rooms[1])

        async def pour(peer, room):
            for n in range(8):
                await peer.say({"event": room, "payload": [n, BIG[:1_000_000]]})

        async def catch(peer):
            return [json.loads(await peer.hear())["payload"][0] for _ in range(8)]

        *_, got_one, got_two = await asyncio.gather(
            pour(one, rooms[1]), pour(two, rooms[0]), catch(one), catch(two)
        )
        equal(f"{version}: 8 MB each way at once", (got_one, got_two), (list(range(8)), list(range(8))))


async def streams(port, context, cert):
    base, trust = f"https://localhost:{port}", ("--cacert", cert)
    chat = fresh("chat")
    async with Stream.open(f"/c/{chat}", *trust, at=base) as stream:
        equal("curl opens a stream by https", stream.status, 200)
        for n in range(20):
            reply = await curl(*trust, "-d", json.dumps({"n": n}), f"{base}/c/{chat}")
            equal(f"curl publishes number {n}", (reply.status, reply.json()), (202, {"members": 1}))
        heard = [await stream.object() for _ in range(20)]
        equal("and hears all in order", [str(h).count(f"'n': {n}") for n, h in enumerate(heard)], [1] * 20)
        words = (*trust, "-H", "Content-Type: application/json", "--data-binary", "@-")
        reply = await curl(*words, f"{base}/c/{chat}", stdin=json.dumps(BIG).encode())
        equal("a body of 2 MB is taken by https", reply.status, 202)
        check("and heard whole", BIG in await stream.line())
        reply = await curl(*trust, "--tls-max", "1.2", "-d", "1", f"{base}/c/{chat}")
        equal("curl by TLS 1.2", reply.status, 202)
        await stream.object()
    reply = await curl(*trust, "-d", "1", *[f"{base}/c/{chat}"] * 3, "-o", "/dev/null", "-o", "/dev/null",
                       written="%{num_connects} ")
    equal("a connection is kept by https", reply.written, "1 0 0 ")


async def slow(port, context):
    """A reader that does not read at first, on a connection with small buffers."""
    room, number = fresh("slow"), 600

    def connect():
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", port))
        tls = context.wrap_socket(raw, server_hostname="localhost")
        # HTTP/1.0 has no chunks: what comes is lines until the end.
        tls.sendall(f"GET /c/{room} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += tls.recv(1)
        return tls

    def read(tls):
        parts, lines = [], 0
        while lines < number:
            part = tls.recv(3000)
            assert part, f"the stream ended after {lines} messages"
            parts.append(part)
            lines += part.count(b"\n")
        return b"".join(parts).decode().splitlines()

    tls = await asyncio.to_thread(connect)
    async with Rooms.enter(at=f"wss://localhost:{port}", ssl=context) as publisher:
        for n in range(number):
            await publisher.say({"event": room, "payload": f"{n}:{'z' * 10_000}"})
        await publisher.nothing_more("the publisher is not kept waiting", publisher)
        lines = await soon(asyncio.to_thread(read, tls), "all of it", 30)
    whole = [n for n, line in enumerate(lines) if f'"{n}:{"z" * 10_000}"' in line]
    equal("a slow reader gets all 6 MB in order once it reads", whole, list(range(number)))
    tls.close()


async def stock(port, cert):
    """Node's `ws`, and OpenSSL's own client."""
    script = Path(__file__).parent / "clients" / "wss.cjs"
    node = await asyncio.create_subprocess_exec(
        *("node", script),
        env={**os.environ, "CHAPPE_TLS": f"wss://localhost:{port}", "NODE_EXTRA_CA_CERTS": str(cert)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await soon(node.communicate(), "node", 30)
    print(out.decode(), end="")
    check("ws by Node is content", node.returncode == 0, out.decode())
    line = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    client = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", f"localhost:{port}", "-servername", "localhost", "-CAfile", cert),
        *("-verify_return_error", "-ign_eof", "-quiet"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await soon(client.communicate(line), "openssl", 20)
    check("openssl s_client is content", client.returncode == 0 and b" 200 " in out, (out, error))


run(main)
