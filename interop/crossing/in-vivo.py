"""One channel, every client: what curl, a rooms page, a stream and a raw WebSocket say, the others hear."""

import contextlib
import json

from peers import HERE, PORT, Rooms, Socket, Stream, check, curl, equal, run, url
from websockets.asyncio.client import connect

SSE = ("-H", "Accept: text/event-stream")


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        page = await enter(Rooms.enter(fenced=False))
        await page.say('{"event":"subscribe","payload":["chat"]}')
        equal("a page subscribes", await page.hear(), '{"msg":"Subscribed to chat"}')

        reply = await curl("-d", '"hi"', url("/c/chat", f"localhost:{PORT}"))
        equal("curl -d '\"hi\"' localhost:PORT/c/chat", (reply.status, reply.json()), (202, {"members": 1}))
        equal("and the page hears it", await page.hear(), '{"event":"chat","payload":"hi"}')

        lines = await enter(Stream.open("/c/chat"))
        events = await enter(Stream.open("/c/chat", *SSE))
        raw = Socket(await enter(connect(f"ws://{HERE}/c/chat", proxy=None)))
        await raw.say('"joined"')
        equal("a raw WebSocket on /c/chat hears itself", await raw.hear(), '"joined"')
        heard = [await page.hear(), (await lines.object())["payload"], (await events.event())["data"]]
        equal("and is heard", heard, ['{"event":"chat","payload":"joined"}', "joined", '"joined"'])

        said = '{ "event":"chat", "payload":{"n":1.0,"s":"ü 🗼"} }'
        await page.say(said)
        payload = '{"n":1.0,"s":"ü 🗼"}'
        equal("a page speaks: itself, verbatim", await page.hear(), said)
        line = await lines.line()
        check("a page speaks: curl -N", f'"payload":{payload}' in line and '"channel":"chat"' in line, line)
        equal("a page speaks: SSE", (await events.event())["data"], payload)
        equal("a page speaks: the raw WebSocket", await raw.hear(), payload)

        await raw.say("just words")
        equal("words of the raw WebSocket: itself", await raw.hear(), "just words")
        equal("words of the raw WebSocket: the page", await page.hear(), '{"event":"chat","payload":"just words"}')
        equal("words of the raw WebSocket: curl -N", (await lines.object())["payload"], "just words")
        equal("words of the raw WebSocket: SSE", (await events.event())["data"], "just words")

        await raw.say(b"\xff\x00")
        equal("bytes of the raw WebSocket: itself", await raw.hear(), b"\xff\x00")
        binary = {"$binary": "/wA="}
        equal("bytes of the raw WebSocket: the page", json.loads(await page.hear())["payload"], binary)
        equal("bytes of the raw WebSocket: curl -N", (await lines.object())["payload"], binary)
        seen = await events.event()
        equal("bytes of the raw WebSocket: SSE", (seen.get("event"), seen["data"]), ("binary", "/wA="))

        reply = await curl("-H", "X-Event: greet", "-d", '{"to":"all"}', url("/c/chat"))
        equal("curl speaks to four", reply.json(), {"members": 4})
        equal("curl speaks: the page", await page.hear(), '{"event":"chat","payload":{"to":"all"},"name":"greet"}')
        equal("curl speaks: the raw WebSocket", await raw.hear(), '{"to":"all"}')
        seen = await lines.object()
        equal("curl speaks: curl -N", (seen["event"], seen["payload"]), ("greet", {"to": "all"}))
        seen = await events.event()
        equal("curl speaks: SSE", (seen.get("event"), seen["data"]), ("greet", '{"to":"all"}'))

        said = '{"event":"broadcast","payload":"everybody"}'
        await page.say(said)
        equal("a broadcast: the page, verbatim", await page.hear(), said)
        equal("a broadcast: curl -N", (await lines.object())["payload"], "everybody")
        equal("a broadcast: SSE", (await events.event())["data"], '"everybody"')
        equal("a broadcast: the raw WebSocket", await raw.hear(), '"everybody"')


run(main)
