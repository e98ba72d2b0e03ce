"""Unix sockets: curl's way in, what a crash has left behind, who is there already, the end."""

import asyncio
import contextlib
import json
import os
import socket
import stat

from peers import Rooms, Stream, check, curl, equal, fresh, run, soon
from servers import folder, refused, server, wait_for
from websockets.asyncio.client import unix_connect


def config(path):
    return f'[[listener]]\naddress = "unix:{path}"\n'


async def main():
    async with folder() as place:
        path = place / "chappe.sock"
        async with server(place, config(path)) as running:
            equal("the banner says where", running.addresses, [f"unix:{path}"])
            await peers(path)
            await taken(place, path)
        check("at the end the file is gone", not path.exists())
        await stale(place, path)
        await beside(place)
        await permissions(place, path)


async def peers(path):
    base, way = "http://localhost", ("--unix-socket", path)
    chat = fresh("chat")
    async with Stream.open(f"/c/{chat}", *way, at=base) as stream:
        reply = await curl(*way, "-d", '{"a":1}', f"{base}/c/{chat}")
        equal("curl publishes by a unix socket", (reply.status, reply.json()), (202, {"members": 1}))
        heard = await stream.line()
        check("and hears", '{"a":1}' in heard, heard)
        async with unix_connect(str(path), "ws://localhost/") as ws:
            await soon(ws.recv(), "the greeting")
            await ws.send(json.dumps({"event": chat, "payload": "x" * 2_000_000}))
            check("2 MB of a WebSocket come whole", "x" * 2_000_000 in await stream.line())
    reply = await curl(*way, "-H", "Host: evil.example", f"{base}/healthz")
    equal("another host is not answered here either", reply.status, 403)


async def permissions(place, path):
    async with server(place, config(path) + 'mode = "606"\n'):
        equal("who may open it is as configured", stat.S_IMODE(path.stat().st_mode), 0o606)


async def taken(place, path):
    other = place / "other"
    other.mkdir()
    said = await refused(other, config(path))
    check("a socket that somebody listens at is refused", str(path) in said and "another program" in said, said)
    reply = await curl("--unix-socket", path, "http://localhost/healthz")
    equal("and who listens there goes on", reply.status, 200)


async def stale(place, path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.listen(1)
    left.close()
    check("a crash leaves a socket", path.is_socket())
    async with server(place, config(path)):
        reply = await curl("--unix-socket", path, "http://localhost/healthz")
        equal("which is replaced", reply.status, 200)
    path.write_text("of value")
    said = await refused(place, config(path))
    check("a file that is no socket is refused", str(path) in said and "no socket" in said, said)
    equal("and stays", path.read_text(), "of value")
    path.unlink()
    said = await refused(place, config(place / "no" / "such" / "folder.sock"))
    check("a folder that is not there is named", "folder.sock" in said, said)
    said = await refused(place, config(place / ("x" * 120)))
    check("a path that is too long is a clear error", "xxx" in said and said.count("\n") == 1, said)
    # Killed, it leaves its own behind, and starts again all the same.
    with contextlib.suppress(AssertionError):
        async with server(place, config(path)) as running:
            running.process.kill()
            await running.process.wait()
    check("a kill leaves the socket", path.is_socket())
    async with server(place, config(path)):
        equal("and the next start is none the worse", (await curl("--unix-socket", path, "http://localhost/healthz")).status, 200)


async def beside(place):
    """A unix socket and a port at once, and a proxy's header on the former."""
    path = place / "both.sock"
    text = f'insecure = true\nproxies = ["127.0.0.1"]\n[[listener]]\naddress = "127.0.0.1:0"\n{config(path)}proxy_protocol = true\n'
    async with server(place, text) as running:
        here = f"127.0.0.1:{running.port()}"
        async with Rooms.enter(at=f"ws://{here}") as room:
            chat = fresh()
            await room.subscribe(chat)
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
            request = f"POST /c/{chat} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\n7"
            writer.write(request.encode())
            answer = await soon(reader.read(), "an answer")
            check("a proxy's header is believed on a unix socket", b" 202 " in answer, answer)
            equal("and both are one server", await room.hear(), f'{{"event":"{chat}","payload":7}}')
            writer.close()


run(main)
