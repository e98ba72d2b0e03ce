"""What is said is relayed byte for byte, always as a text frame."""

import contextlib

from peers import Rooms, check, equal, fresh, run


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        a, b = await enter(Rooms.enter()), await enter(Rooms.enter())
        room = fresh("chat")
        await a.subscribe(room)
        await b.subscribe(room)
        escaped = "".join(f"\\u{ord(c):04x}" for c in room)
        frames = {
            "odd white space": f' {{ "event"\t:  "{room}" ,\r\n  "payload" : [ 1 ,2 ] }}\n',
            "the order of keys": f'{{"z":1,"payload":{{"b":1,"a":2}},"event":"{room}","a":0}}',
            "duplicate keys": f'{{"event":"{room}","x":1,"x":2,"payload":{{"y":1,"y":1}}}}',
            "numbers as written": f'{{"event":"{room}","payload":[1.0,1.50,1e2,1E+2,-0,0.1e-7,123456789012345678901234567890]}}',
            "unicode, raw": f'{{"event":"{room}","payload":"ünïcödé 🗼 \u2028 \u0000 é"}}'.replace("\u0000", "\\u0000"),
            "unicode, escaped": f'{{"event":"{room}","payload":"\\u00e9 \\ud83d\\ude00 \\/ \\u003c"}}',
            "an event written in escapes": f'{{"event":"{escaped}","payload":1}}',
            "an escaped key": f'{{"\\u0065vent":"{room}","payload":1}}',
            "no payload at all": f'{{"event":"{room}","command":"!roll","tags":[]}}',
            "a payload of null": f'{{"event":"{room}","payload":null}}',
            "a deep payload": f'{{"event":"{room}","payload":{"[" * 60}{"]" * 60}}}',
            "100 KB": f'{{"event":"{room}","payload":"{"x" * 100_000}"}}',
        }
        for what, frame in frames.items():
            await a.say(frame)
            equal(f"relayed verbatim, to the sender: {what}", await a.hear(), frame)
            equal(f"relayed verbatim, to a member: {what}", await b.hear(), frame)

        frame = f'{{ "event":"{room}",  "payload":"as bytes ü" }}'
        await a.say(frame.encode())
        heard = [await a.hear(), await b.hear()]
        check("a binary frame comes out as a text frame", all(isinstance(h, str) for h in heard), heard)
        equal("with the same bytes", heard, [frame, frame])

        for number in range(300):
            await a.say(f'{{"event":"{room}","payload":{number}}}')
        expected = [f'{{"event":"{room}","payload":{number}}}' for number in range(300)]
        equal("300 at once come in order, to the sender", [await a.hear() for _ in expected], expected)
        equal("300 at once come in order, to a member", [await b.hear() for _ in expected], expected)


run(main)
