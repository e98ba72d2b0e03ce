"""The rooms protocol as its document has it: greeting, subscribe, say, broadcast, unsubscribe."""

import contextlib
import json

from peers import Rooms, check, equal, fresh, run


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        a = await enter(Rooms.enter(fenced=False))
        greeting = json.loads(a.greeting)
        check("the greeting is a text frame with `msg` alone", [*greeting] == ["msg"] and greeting["msg"], a.greeting)
        check("the greeting has its blank after the colon", a.greeting.startswith('{"msg": "'), a.greeting)

        chat, other = fresh("chat"), fresh("other")
        await a.say({"event": "subscribe", "payload": [chat]})
        equal("subscribing is acknowledged", await a.hear(), f'{{"msg":"Subscribed to {chat}"}}')
        await a.say({"event": "subscribe", "payload": [chat, other]})
        answers = [await a.hear(), await a.hear()]
        expected = [f'{{"msg":"Subscribed to {chat}"}}', f'{{"msg":"Subscribed to {other}"}}']
        equal("one answer per room, in order, again for a room already joined", answers, expected)
        await a.subscribe(a.fence)

        b = await enter(Rooms.enter("/any/path?will=do"))
        check("any path will do", True)
        await b.subscribe(chat)
        frame = f'{{"event":"{chat}","payload":"hello"}}'
        await a.say(frame)
        equal("the sender hears itself, once", await a.hear(), frame)
        equal("a member hears it", await b.hear(), frame)
        await a.nothing_more("joining twice is joining once", a)

        stranger = await enter(Rooms.enter())
        await stranger.say(frame)
        equal("who is no member may publish", [await a.hear(), await b.hear()], [frame, frame])
        await stranger.nothing_more("who is no member does not hear", stranger)

        unknown = fresh("unknown")
        await a.say({"event": unknown, "payload": 1})
        await a.nothing_more("publishing to an unknown room is dropped", a)
        await b.subscribe(unknown)
        await b.nothing_more("and kept for nobody", a)

        await b.say({"event": "unsubscribe", "payload": [chat, unknown, "never-joined"]})
        answers = [await b.hear() for _ in range(3)]
        expected = [f'{{"msg":"Unsubscribed to {room}"}}' for room in (chat, unknown, "never-joined")]
        equal("unsubscribing is acknowledged in the original's words, joined or not", answers, expected)
        await a.say(frame)
        equal("who stayed still hears", await a.hear(), frame)
        await b.nothing_more("who unsubscribed does not", a)

        await b.subscribe(chat)
        await a.say(frame)
        equal("subscribing again works", [await a.hear(), await b.hear()], [frame, frame])

        await a.subscribe(5, -7)
        numbers = ['{"event":"5","payload":1}', '{"event":5,"payload":2}', '{"event":-7,"payload":3}']
        for number in numbers:
            await b.say(number)
        equal("integer room names are their digits", [await a.hear() for _ in numbers], numbers)

        await a.say('{"event":"subscribe","payload":{"x":"attic","y":"cellar"}}')
        answers = sorted([await a.hear(), await a.hear()])
        expected = ['{"msg":"Subscribed to attic"}', '{"msg":"Subscribed to cellar"}']
        equal("the values of an object are room names", answers, expected)

        odd = 'a "quoted" \\ room – ünï 🗼'
        await a.say({"event": "subscribe", "payload": [odd]})
        equal("an acknowledgement is JSON whatever the name", json.loads(await a.hear()), {"msg": f"Subscribed to {odd}"})
        said = json.dumps({"event": odd, "payload": None})
        await b.say(said)
        equal("and the room of that name works, escaped or not", await a.hear(), said)


run(main)
