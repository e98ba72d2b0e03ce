"""POST /c/<channel>: what kind of payload a body is, names, answers."""

import base64
import contextlib
import json

from peers import Rooms, Stream, check, curl, equal, fresh, run, url


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        chat = fresh("chat")
        reply = await curl("-d", '"hi"', url(f"/c/{chat}"))
        equal("a POST is accepted", (reply.status, reply.type, reply.json()), (202, "application/json", {"members": 0}))

        room = await enter(Rooms.enter())
        await room.subscribe(chat)
        lines = await enter(Stream.open(f"/c/{chat}"))
        reply = await curl("-d", '"hi"', url(f"/c/{chat}"))
        equal("the answer counts the members of both kinds", reply.json(), {"members": 2})
        equal("curl -d is JSON when it is JSON", (await lines.object())["payload"], "hi")
        equal("a rooms client hears it", await room.hear(), f'{{"event":"{chat}","payload":"hi"}}')

        def typed(kind):
            return ("-H", f"Content-Type: {kind}") if kind else ("-H", "Content-Type:")

        invalid = {"$binary": base64.b64encode(b"\xff\x00\xfe").decode()}
        cases = [
            ("JSON", typed("application/json"), b'{"b":1.50,"a":[1e2]}', '{"b":1.50,"a":[1e2]}'),
            ("JSON with a charset", typed("application/json; charset=utf-8"), b"[1]", "[1]"),
            ("text that looks like JSON", typed("text/plain"), b"42", '"42"'),
            ("text", typed("text/plain; charset=utf-8"), "grüß 🗼".encode(), '"grüß 🗼"'),
            ("bytes that are JSON, towards JSON", typed("application/octet-stream"), b'{"x":1}', '{"x":1}'),
            ("bytes that are text, towards JSON", typed("application/octet-stream"), b"hello", '"hello"'),
            ("bytes that are neither", typed("application/octet-stream"), b"\xff\x00\xfe", None),
            ("curl's form, JSON", (), b'{"x":[1,2]}', '{"x":[1,2]}'),
            ("curl's form, no JSON", (), b"a=b&c", '"a=b&c"'),
            ("curl's form, no UTF-8", (), b"\xff\x00\xfe", None),
            ("no type, JSON", typed(None), b"true", "true"),
            ("no type, text", typed(None), b"plain words", '"plain words"'),
        ]
        for what, words, body, expected in cases:
            reply = await curl(*words, "--data-binary", "@-", url(f"/c/{chat}"), stdin=body)
            assert reply.status == 202, (what, reply.status, reply.body)
            line, frame = await lines.line(), await room.hear()
            if expected is None:
                equal(f"{what}: towards a stream", json.loads(line)["payload"], invalid)
                equal(f"{what}: towards rooms", json.loads(frame)["payload"], invalid)
            else:
                check(f"{what}: towards a stream", f'"payload":{expected}' in line, line)
                equal(f"{what}: towards rooms", frame, f'{{"event":"{chat}","payload":{expected}}}')

        await curl("-H", "X-Event: alarm", "-d", "[1]", url(f"/c/{chat}"))
        seen = await lines.object()
        equal("X-Event names it: towards a stream", (seen["event"], seen["payload"]), ("alarm", [1]))
        equal("X-Event names it: towards rooms", await room.hear(), f'{{"event":"{chat}","payload":[1],"name":"alarm"}}')

        await names(room)
        await several(room)


async def names(room):
    plain = fresh("garden")
    for what, path, name in [
        ("a slash is of the name", f"{plain}/sprinklers", f"{plain}/sprinklers"),
        ("so is an escaped one", f"{plain}%2Fsprinklers", f"{plain}/sprinklers"),
        ("an escaped comma", f"{plain}%2Cx", f"{plain},x"),
        ("an escaped blank and umlaut", f"{plain}%20caf%C3%A9", f"{plain} café"),
        ("a plus is a plus", f"{plain}+x", f"{plain}+x"),
        ("an escaped question mark and hash", f"{plain}%3F%23", f"{plain}?#"),
        ("an escaped percent sign", f"{plain}%25", f"{plain}%"),
    ]:
        await room.subscribe(name)
        reply = await curl("-d", "1", url(f"/c/{path}"))
        equal(f"{what}: 202", reply.status, 202)
        expected = json.dumps({"event": name, "payload": 1}, separators=(",", ":"), ensure_ascii=False)
        equal(f"{what}: heard", await room.hear(), expected)


async def several(room):
    one, two = fresh("one"), fresh("two")
    await room.subscribe(one, two)
    reply = await curl("-d", "7", url(f"/c/{one},{two}"))
    equal("a POST to several channels is accepted", reply.status, 202)
    heard = [await room.hear(), await room.hear()]
    expected = [f'{{"event":"{name}","payload":7}}' for name in (one, two)]
    equal("and publishes to each, in order", heard, expected)


run(main)
