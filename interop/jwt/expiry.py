"""The end of a token while its owner is connected: rooms are told and closed, streams end, and do not come back."""

import json
import secrets

import jwt
from issuers import soon_over
from peers import Rooms, Stream, check, curl, equal, run, soon
from servers import folder, server
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SECRET = secrets.token_hex(32)
CONFIG = (
    f'[[listener]]\naddress = "127.0.0.1:0"\n[auth.jwt]\nsecret = "{SECRET}"\nchannels = ["user({{sub}})"]\n'
)


async def main():
    async with folder() as place, server(place, CONFIG) as running:
        at = f"127.0.0.1:{running.port()}"
        long = jwt.encode({"sub": "bob", "exp": soon_over(3600)}, SECRET, "HS256")
        async with Rooms.enter(f"/?token={long}", at=f"ws://{at}", fenced=False) as stays:
            await ends(at)
            await stays.subscribe("user(bob)")
            check("who has a longer token stays", True)


async def ends(at):
    short = jwt.encode({"sub": "ann", "exp": soon_over(2)}, SECRET, "HS256")
    url = f"http://{at}/c/user(ann)"
    async with (
        Rooms.enter(f"/?token={short}", at=f"ws://{at}", fenced=False) as rooms,
        connect(f"ws://{at}/c/user(ann)?token={short}", proxy=None) as socket,
        Stream.open("/c/user(ann)", "-H", f"Authorization: Bearer {short}", at=f"http://{at}") as stream,
    ):
        await rooms.subscribe("user(ann)")
        equal("rooms are told", json.loads(await rooms.hear()), {"msg": "Refused: the token has expired"})
        for what, ws in (("rooms", rooms.ws), ("a WebSocket of payloads", socket)):
            try:
                await soon(ws.recv(), "the end")
                raise AssertionError("something came after the end")
            except ConnectionClosed as closed:
                seen = (closed.rcvd.code, closed.rcvd.reason)
                equal(f"{what} is closed", seen, (1008, "the token has expired"))
        await soon(stream.program.wait(), "the end of the stream")
        check("a stream ends, and not as if it were whole", stream.program.returncode != 0)
    reply = await curl("-H", f"Authorization: Bearer {short}", url)
    equal("and does not come back", (reply.status, reply.json()["detail"]), (401, "the token has expired"))


run(main)
