"""Senders of Watchtower over `aiohttp`, at any server."""

import contextlib
import json

import aiohttp
from peers import HERE, soon

SECRET = "watchtowers_are_awesome"


class Sender:
    """A sender: its number, and the token that it shows with everything it asks."""

    def __init__(self, session, at):
        self.http = session
        self.at = at

    async def post(self, path, **body):
        """Posts as this sender; the status and the text of the answer."""
        async with self.http.post(f"http://{self.at}{path}", json={"sender": self.id, **body}) as reply:
            return reply.status, (await reply.text()).rstrip("\n")

    async def say(self, channel, *messages):
        """Broadcasts one after the other; how many members heard the last."""
        for message in messages:
            status, text = await self.post("/broadcast", channels=[channel], message=message)
            assert status == 200, (status, text)
        return json.loads(text)["members"]

    async def call_back(self, channel, url):
        status, text = await self.post("/channels/join/async", channels=[channel], callback_url=url)
        assert status == 200, (status, text)

    @contextlib.asynccontextmanager
    async def listen(self, *channels):
        """Its stream, joined: a function that waits for so many messages."""
        path = f"/channels/join?channels={','.join(map(str, channels))}&sender={self.id}"
        async with self.http.get(f"http://{self.at}{path}") as response:
            assert response.status == 200, response.status

            async def messages(count):
                heard = []
                while len(heard) < count:
                    line = await soon(response.content.readline(), "a line of the stream")
                    assert line, "the stream ended"
                    heard += [json.loads(line)["message"]] if line.strip() else []
                return heard

            yield messages


@contextlib.asynccontextmanager
async def sender(at=HERE, secret=SECRET):
    """A sender that has registered."""
    async with aiohttp.ClientSession() as session:
        async with session.post(f"http://{at}/register", json={"secret_key": secret}) as reply:
            assert reply.status == 200, await reply.text()
            sender = Sender(session, at)
            sender.id, token = (await reply.json()).values()
        session.headers["Authorization"] = f"Bearer {token}"
        yield sender
