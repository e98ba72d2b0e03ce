"""Python requests and aiohttp as clients: streams line by line, callbacks in order, leaving, JSON errors, tokens."""

import asyncio
import contextlib
import json

import aiohttp
import receivers
import requests
from peers import check, equal, run, soon, url

SECRET = {"secret_key": "watchtowers_are_awesome"}


class Sender:
    """A sender over requests, its calls made beside the loop."""

    def __init__(self):
        self.http = requests.Session()
        self.http.trust_env = False

    async def call(self, method, path, **options):
        return await asyncio.to_thread(self.http.request, method, url(path), timeout=10, **options)

    async def register(self):
        reply = await self.call("POST", "/register", json=SECRET)
        self.id, self.token = reply.json()["id"], reply.json()["token"]
        return self

    async def post(self, path, **body):
        return await self.call("POST", path, json={"sender": self.id, **body})


async def lines(response):
    async for line in response.content:
        if line.strip():
            yield json.loads(line)


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        sender = await Sender().register()
        session = await enter(aiohttp.ClientSession())
        receiver = await enter(receivers.receiver())

        response = await enter(session.get(url(f"/channels/join?channels=11,12&sender={sender.id}")))
        equal("aiohttp: the head comes before any message", response.status, 200)
        heard = lines(response)
        reply = await sender.post("/channels/join/async", channels=[11], callback_url=receiver.url("/hook"))
        equal("requests: join/async", (reply.status_code, reply.json()), (200, {}))

        for number in range(100):
            reply = await sender.post("/broadcast", channels=[11], message=number)
            assert (reply.status_code, reply.json()) == (200, {"members": 2}), reply.text
        stream = [(await soon(anext(heard), "a line"))["message"] for _ in range(100)]
        equal("aiohttp: a hundred messages in order on the stream", stream, [*range(100)])
        called = [await receiver.hear() for _ in range(100)]
        equal("and by callback", [message["message"] for _, _, message in called], [*range(100)])
        equal("each delivery has an id of its own", len({headers["Webhook-Id"] for _, headers, _ in called}), 100)

        reply = await sender.post("/channels/leave", channels=[11])
        equal("leave", (reply.status_code, reply.json()), (200, {}))
        reply = await sender.post("/broadcast", channels=[11], message="nobody")
        equal("who has left cannot speak", (reply.status_code, reply.text), (400, "tried to send to unjoined channel 11\n"))
        reply = await sender.post("/broadcast", channels=[12], message="fence")
        equal("the other channel goes on", (await soon(anext(heard), "a line"))["message"], "fence")
        check("the callback has nothing more", receiver.came.empty())

        await errors(sender)

        reply = await sender.post("/unregister")
        equal("unregister", (reply.status_code, reply.json()), (200, {}))
        with contextlib.suppress(aiohttp.ClientPayloadError):
            left = [line async for line in heard]
            equal("its stream has ended", left, [])
        reply = await sender.call("GET", f"/channels?sender={sender.id}")
        equal("its number is nobody's", reply.status_code, 401)


async def errors(sender):
    reply = await sender.call("POST", "/broadcast", data="{\n  \"sender\": 5,,\n}", headers={"Accept": "application/json"})
    equal("JSON errors for who prefers them", (reply.status_code, reply.headers["Content-Type"]), (400, "application/json; charset=utf-8"))
    check("with the place", "line 2 column 15" in reply.json()["error"], reply.text)
    reply = await sender.post("/broadcast", channels="5", message=1)
    check("a wrong type is named", reply.status_code == 400 and "`channels`" in reply.text, reply.text)
    reply = await sender.post("/broadcast", channels=[12], message="x" * (3 << 20))
    equal("a message that is too big is 413", reply.status_code, 413)
    reply = await sender.call("GET", f"/channels?sender={sender.id}&token=wrong")
    equal("a wrong token is 401", (reply.status_code, reply.text), (401, "invalid or missing sender\n"))
    reply = await sender.call("GET", f"/channels?sender={sender.id}", headers={"Authorization": f"Bearer {sender.token}"})
    equal("the right one is right", reply.status_code, 200)


run(main)
