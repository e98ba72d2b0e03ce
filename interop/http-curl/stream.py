"""GET /c/<channel>: NDJSON and Server-Sent Events that curl -N reads while rooms clients and curl publish."""

import asyncio
import contextlib
import json

from peers import Rooms, Stream, check, curl, equal, fresh, run, url

SSE = ("-H", "Accept: text/event-stream")


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        chat, other = fresh("chat"), fresh("other")
        room = await enter(Rooms.enter())
        await room.subscribe(chat)

        lines = await enter(Stream.open(f"/c/{chat}"))
        equal("a GET is a stream of NDJSON", (lines.status, lines.fields["content-type"].split(";")[0]), (200, "application/x-ndjson"))
        check("that nobody shall cache", "no-store" in lines.fields.get("cache-control", "") or "no-cache" in lines.fields.get("cache-control", ""), lines.fields)
        events = await enter(Stream.open(f"/c/{chat}", *SSE))
        equal("asked for events it is events", (events.status, events.fields["content-type"].split(";")[0]), (200, "text/event-stream"))
        both = await enter(Stream.open(f"/c/{chat},{other}"))
        envelope = await enter(Stream.open(f"/c/{chat}?envelope=1", *SSE))

        await room.say(f'{{"event":"{chat}","payload":{{"b":1.0,"a":"ü"}}}}')
        await room.hear()
        line = await lines.line()
        seen = json.loads(line)
        equal("a rooms message: the channel", seen["channel"], chat)
        check("a rooms message: the payload as it was written", '"payload":{"b":1.0,"a":"ü"}' in line, line)
        equal("a rooms message has no event name", seen.get("event"), None)
        check("the time is in milliseconds", isinstance(seen["time"], int) and seen["time"] > 1.6e12, seen)
        check("the publisher is named", bool(seen.get("publisher")), seen)
        known = {"channel", "event", "payload", "publisher", "position", "time"}
        check("and nothing else is said", set(seen) <= known, seen)
        equal("the event's data is the payload", (await events.event())["data"], '{"b":1.0,"a":"ü"}')
        equal("a stream of several hears it too", (await both.object())["channel"], chat)
        equal("with ?envelope=1 the data is the object", json.loads((await envelope.event())["data"])["channel"], chat)

        await room.say(f'{{"event":"{chat}","command":"!roll"}}')
        await room.hear()
        equal("without a payload it is the whole object", (await lines.object())["payload"], {"event": chat, "command": "!roll"})
        equal("so for events", json.loads((await events.event())["data"]), {"event": chat, "command": "!roll"})

        await curl("-H", "Content-Type: text/plain", "--data-binary", "one\ntwo\n\nfour", url(f"/c/{chat}"))
        equal("text of several lines is one line of NDJSON", (await lines.object())["payload"], "one\ntwo\n\nfour")
        equal("and several lines of data", (await events.event())["data"], "one\ntwo\n\nfour")

        pretty = json.dumps({"a": [1, 2], "b": {"c": "d"}}, indent=2)
        await curl("-H", "Content-Type: application/json", "--data-binary", pretty, url(f"/c/{chat}"))
        equal("JSON of several lines is one line of NDJSON", (await lines.object())["payload"], json.loads(pretty))
        equal("and loses nothing as events", json.loads((await events.event())["data"]), json.loads(pretty))

        await curl("-H", "X-Event: alarm", "-d", '"fire"', url(f"/c/{chat}"))
        equal("an event name: NDJSON", (await lines.object())["event"], "alarm")
        seen = await events.event()
        equal("an event name: SSE", (seen.get("event"), seen["data"]), ("alarm", '"fire"'))
        for _ in range(4):
            await both.object()
        await curl("-d", "2", url(f"/c/{other}"))
        equal("a stream of several hears the others", (await both.object())["channel"], other)

        await broadcast(room, lines, events, chat)
        await crowd(chat)


async def broadcast(room, lines, events, chat):
    await room.say('{"event":"broadcast","payload":"all"}')
    seen = await lines.object()
    equal("a broadcast: NDJSON", (seen["event"], seen["payload"]), ("broadcast", "all"))
    while (seen := await events.event()).get("event") != "broadcast":
        pass
    equal("a broadcast: SSE", seen["data"], '"all"')


async def crowd(chat):
    room = fresh("crowd")
    async with contextlib.AsyncExitStack() as stack:
        streams = await asyncio.gather(*(stack.enter_async_context(Stream.open(f"/c/{room}")) for _ in range(10)))
        reply = await curl("-d", "0", url(f"/c/{room}"))
        equal("ten streams are ten members", reply.json(), {"members": 10})
        publisher = await stack.enter_async_context(Rooms.enter())
        for number in range(1, 101):
            await publisher.say(f'{{"event":"{room}","payload":{number}}}')
        for stream in streams:
            heard = [(await stream.object())["payload"] for _ in range(101)]
            assert heard == [*range(101)], heard
        check("each hears 101 messages in order", True)
    # Whoever is gone is a member no more. It is the server that notices, hence again and again, up to a deadline.
    async def empty():
        while (await curl("-d", "0", url(f"/c/{room}"))).json() != {"members": 0}:
            pass
    await asyncio.wait_for(empty(), 10)
    check("streams that were closed are members no more", True)


run(main)
