"""The end of a token while its owner is connected: rooms are told and closed, streams end, and do not come back. That
of one that is taken back, and how long one may be good."""

import contextlib
import json
import secrets
import signal

import jwt
from issuers import soon_over
from peers import Rooms, Stream, check, curl, equal, run, soon
from servers import folder, server, wait_for
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
    await taken_back()


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


async def taken_back():
    limit = "max_lifetime = 7200\n"
    async with folder() as place:
        listed = place / "revoked"
        listed.write_text("# nobody yet\n")
        config = f'{CONFIG}{limit}revoked_file = "{listed}"\n'
        async with server(place, config) as running:
            at = f"127.0.0.1:{running.port()}"
            tokens = [
                jwt.encode({"sub": sub, "jti": jti, "exp": soon_over(3600)}, SECRET, "HS256")
                for sub, jti in [("ann", "a1"), ("bob", "b1"), ("bob", "b2"), ("cat", "c1")]
            ]
            at_rooms = [f"/?token={token}" for token in tokens]
            async with contextlib.AsyncExitStack() as stack:
                rooms = [
                    await stack.enter_async_context(Rooms.enter(path, at=f"ws://{at}", fenced=False))
                    for path in at_rooms
                ]
                listed.write_text("a1\nsub:bob\n")
                running.process.send_signal(signal.SIGHUP)
                for peer in rooms[:3]:
                    equal("it is told", json.loads(await peer.hear()), {"msg": "Refused: the token has expired"})
                await rooms[3].subscribe("user(cat)")
                check("who is not named stays", True)
            url = f"http://{at}/c/user(ann)"
            reply = await curl("-H", f"Authorization: Bearer {tokens[0]}", url)
            equal("nobody comes back", (reply.status, reply.json()["detail"]), (401, "the token has been revoked"))
            listed.write_text("sub:\n")
            running.process.send_signal(signal.SIGHUP)
            await wait_for("the log names the line", lambda: "line 1 of" in running.log.read_text())
            reply = await curl("-H", f"Authorization: Bearer {tokens[0]}", url)
            equal("a list that is wrong changes nothing", reply.status, 401)
            long = jwt.encode({"sub": "dan", "exp": soon_over(8000)}, SECRET, "HS256")
            reply = await curl("-H", f"Authorization: Bearer {long}", url)
            said = (reply.status, reply.json()["detail"])
            equal("too long is too long", said, (401, "the token is good for longer than 7200 seconds"))


run(main)
