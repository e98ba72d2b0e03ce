"""Receivers of callbacks over `aiohttp`, which keep what they were posted; and those that nobody should call.

What they do wrong they do until they are told otherwise, never for a time.
"""

import asyncio
import contextlib
import json
import socket

from aiohttp import web
from peers import soon


class Receiver:
    """What came, in order; `status` and `headers` are what it answers, once `gate` is open."""

    def __init__(self):
        self.came = asyncio.Queue()
        self.status = 200
        self.headers = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = None

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    async def take(self, request):
        body = await request.read()
        self.came.put_nowait((request.path, request.headers, json.loads(body)))
        await self.gate.wait()
        return web.Response(status=self.status, headers=self.headers)

    async def hear(self):
        return await soon(self.came.get(), "a callback")

    async def messages(self, count):
        return [(await self.hear())[2]["message"] for _ in range(count)]


@contextlib.asynccontextmanager
async def receiver(sock=None):
    """A receiver, at this socket or one of its own."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.SockSite(runner, sock) if sock else web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        receiver.gate.set()
        await runner.cleanup()


@contextlib.contextmanager
def nobody():
    """A port that is taken and refuses connections: its socket does not listen, until somebody lets it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


class Hole:
    """Accepts, and never says a word."""

    def __init__(self):
        self.connections = 0
        self.port = None

    async def take(self, reader, writer):
        self.connections += 1
        try:
            while await reader.read(1 << 16):
                pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def hole():
    hole = Hole()
    server = await asyncio.start_server(hole.take, "127.0.0.1", 0)
    hole.port = server.sockets[0].getsockname()[1]
    try:
        yield hole
    finally:
        server.close()
