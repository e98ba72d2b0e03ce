"""The examples of the document that describes Watchtower, as printed there, by curl."""

import contextlib

import receivers
from peers import Stream, check, curl, equal, run, url

SECRET = '{\n  "secret_key": "watchtowers_are_awesome"\n}'


async def register():
    reply = await curl("-d", SECRET, url("/register"))
    equal("register: HTTP 200", (reply.status, reply.type), (200, "application/json"))
    return reply.json()["id"]


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        sender, one, two = [await register() for _ in range(3)]
        check("senders are numbers, not 0, and differ", len({sender, one, two, 0}) == 4, (sender, one, two))
        reply = await curl("-d", '{"secret_key":"nonsense"}', url("/register"))
        equal("register: HTTP 401", (reply.status, reply.body), (401, b"invalid or missing secret key\n"))

        reply = await curl(url(f"/channels?sender={sender}"))
        equal("list: HTTP 204, no channels created yet", (reply.status, reply.body), (204, b""))
        reply = await curl(url("/channels?sender=1"))
        equal("list: HTTP 401", (reply.status, reply.body), (401, b"invalid or missing sender\n"))
        equal("and it says who it is", reply.fields["x-server-name"], "Watchtower")

        stream = await enter(Stream.open(f"/channels/join?channels=5,6&sender={sender}"))
        equal("join: a stream of JSON", (stream.status, stream.fields["content-type"]), (200, "application/json; charset=utf-8"))
        others = [await enter(Stream.open(f"/channels/join/5?sender={n}")) for n in (one, two)]
        reply = await curl(url(f"/channels?sender={sender}"))
        equal("list: HTTP 200", reply.json(), {"channels": [5, 6]})

        body = '{\n    "channels": [5],\n    "sender": %d,\n    "message": "all your base are belong to us"\n}' % sender
        reply = await curl("-d", body, url("/broadcast"))
        equal("broadcast: HTTP 200", (reply.status, reply.body[-1:]), (200, b"\n"))
        words = "all your base are belong to us"
        message = {"channel": 5, "sender": sender, "message": words, "content": words}
        for peer in (stream, *others):
            equal("broadcast: heard by all on channel 5", await peer.object(), message)

        body = '{"channels": [5], "sender": %d, "receivers": [%d, %d], "message": "your specifical bases are belong to us"}'
        reply = await curl("-d", body % (sender, one, two), url("/send"))
        equal("send: HTTP 200", reply.status, 200)
        for peer in others:
            equal("send: heard by the receivers", (await peer.object())["message"], "your specifical bases are belong to us")
        await curl("-d", '{"channels":[5],"sender":%d,"message":"fence"}' % sender, url("/broadcast"))
        equal("send: by nobody else", (await stream.object())["message"], "fence")

        for path, extra, status, words in [
            ("/broadcast", "", 400, b"tried to send to unjoined channel 7\n"),
            ("/send", ',"receivers":[%d]' % one, 400, b"tried to send to unjoined channel 7\n"),
        ]:
            reply = await curl("-d", '{"channels":[7],"sender":%d,"message":1%s}' % (sender, extra), url(path))
            equal(f"{path}: an unjoined channel", (reply.status, reply.body), (status, words))
        reply = await curl("-d", '{"channels":[6],"sender":%d,"message":1,"receivers":[%d]}' % (sender, one), url("/send"))
        equal(
            "send: a receiver that has not joined",
            (reply.status, reply.body),
            (400, b"one or more of the receivers have not joined the channel 6\n"),
        )

        async with receivers.receiver() as receiver:
            body = '{"sender": %d, "channels": [5], "callback_url": "%s"}' % (two, receiver.url("/callbacks"))
            reply = await curl("-d", body, url("/channels/join/async"))
            equal("join/async: HTTP 200", reply.status, 200)
            await curl("-d", '{"channels":[5],"sender":%d,"message":{"n":1}}' % sender, url("/broadcast"))
            path, headers, message = await receiver.hear()
            equal("join/async: called at its URL", path, "/callbacks")
            equal("with the message", message, {"channel": 5, "sender": sender, "message": {"n": 1}, "content": {"n": 1}})
            equal("as JSON", headers["Content-Type"], "application/json; charset=utf-8")
            equal("by Watchtower", headers["X-Server-Name"], "Watchtower")
        for wrong in ("nonsense", "ftp://client-url.com/callbacks"):
            body = '{"sender":%d,"channels":[5],"callback_url":"%s"}' % (two, wrong)
            reply = await curl("-d", body, url("/channels/join/async"))
            check("join/async: HTTP 400", reply.status == 400 and reply.body.startswith(b"invalid callback URL"), reply.body)


run(main)
