"""A receiver of callbacks over `aiohttp`, which keeps what it was posted."""

import asyncio
import contextlib
import json

from aiohttp import web
from peers import soon


class Receiver:
    """What came, in order; `status` is what it answers."""

    def __init__(self):
        self.came = asyncio.Queue()
        self.status = 200
        self.port = None

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    async def take(self, request):
        body = await request.read()
        self.came.put_nowait((request.path, request.headers, json.loads(body)))
        return web.Response(status=self.status)

    async def hear(self):
        return await soon(self.came.get(), "a callback")


@contextlib.asynccontextmanager
async def receiver():
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{tail:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()
