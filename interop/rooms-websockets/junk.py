"""What makes no sense is ignored, and hurts nobody."""

import contextlib

from peers import Rooms, check, equal, fresh, run

JUNK = [
    ("no JSON", "not json"),
    ("nothing", ""),
    ("white space", "  \n"),
    ("an array", '["event","subscribe"]'),
    ("a number", "42"),
    ("a string", '"event"'),
    ("null", "null"),
    ("an empty object", "{}"),
    ("no event", '{"payload":["x"]}'),
    ("an event of null", '{"event":null,"payload":1}'),
    ("an event that is an array", '{"event":[],"payload":1}'),
    ("an event that is an object", '{"event":{},"payload":1}'),
    ("half an object", '{"event":"subscribe","payload":["x"'),
    ("something after the object", '{"event":"subscribe","payload":["x"]} x'),
    ("subscribing to nothing", '{"event":"subscribe"}'),
    ("subscribing to null", '{"event":"subscribe","payload":null}'),
    ("subscribing to a string", '{"event":"subscribe","payload":"chat"}'),
    ("subscribing to a number", '{"event":"subscribe","payload":7}'),
    ("subscribing to no rooms", '{"event":"subscribe","payload":[]}'),
    ("rooms that are no names", '{"event":"subscribe","payload":[null,[],{},[["x"]]]}'),
    ("unsubscribing from nothing", '{"event":"unsubscribe"}'),
    ("unsubscribing from what is no name", '{"event":"unsubscribe","payload":[null,{}]}'),
    ("a very deep array", "[" * 200_000),
    ("a very deep object", '{"event":"subscribe","payload":' + "[" * 100_000 + "]" * 100_000 + "}"),
    ("bytes that are no UTF-8", b"\xff\xfe\xfd"),
    ("bytes that are no JSON", b"\x00\x01\x02"),
]


async def main():
    async with contextlib.AsyncExitStack() as stack:
        bystander = await stack.enter_async_context(Rooms.enter())
        peer = await stack.enter_async_context(Rooms.enter())
        room = fresh("chat")
        await peer.subscribe(room)
        for what, junk in JUNK:
            await peer.say(junk)
            await peer.nothing_more(f"ignored: {what}", peer)
        frame = f'{{"event":"{room}","payload":"still a member"}}'
        await bystander.say(frame)
        equal("its rooms are as they were", await peer.hear(), frame)
        await bystander.nothing_more("nobody else heard of it", peer)
        pong = await peer.ws.ping()
        await pong
        check("the connection lives", True)


run(main)
