"""Peers for the Python scripts: a rooms client over `websockets`, `curl`, and a stream that `curl -N` reads.

Every wait has a deadline; nothing sleeps.
"""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import tempfile
from pathlib import Path

from websockets.asyncio.client import connect

PORT = int(os.environ["CHAPPE_PORT"])
HERE = f"127.0.0.1:{PORT}"
DEADLINE = 10.0
_count = itertools.count(1)


def fresh(word="room"):
    """A channel name nobody else uses."""
    return f"{word}-{os.getpid()}-{next(_count)}"


def check(what, condition, seen=None):
    """Says `ok`, or ends the script."""
    if not condition:
        raise AssertionError(f"{what}; seen: {seen!r}"[:4000])
    print(f"ok {what}", flush=True)


def equal(what, seen, expected):
    if seen != expected:
        raise AssertionError(f"{what}\n  expected: {expected!r:.1500}\n  seen:     {seen!r:.1500}")
    print(f"ok {what}", flush=True)


async def soon(awaitable, what="something", deadline=DEADLINE):
    try:
        return await asyncio.wait_for(awaitable, deadline)
    except asyncio.TimeoutError:
        raise AssertionError(f"waited {deadline} s in vain for {what}") from None


def run(main):
    asyncio.run(asyncio.wait_for(main(), 50))


async def dial(port, header=b"", source="127.0.0.1"):
    """A connection from an address of this machine, with a header before it."""
    sock = socket.socket()
    sock.bind((source, 0))
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await soon(loop.sock_connect(sock, ("127.0.0.1", port)), "a connection")
    await loop.sock_sendall(sock, header)
    return sock


class Socket:
    """A WebSocket on any path."""

    def __init__(self, ws):
        self.ws = ws

    async def say(self, message):
        """Text or bytes as they are; anything else as compact JSON."""
        if not isinstance(message, (str, bytes)):
            message = json.dumps(message, separators=(",", ":"))
        await soon(self.ws.send(message), "room to send")

    async def hear(self, what="a message"):
        """The next message: `str` for a text frame, `bytes` for a binary one."""
        return await soon(self.ws.recv(), what)


class Rooms(Socket):
    """A rooms client, greeted, with a fence: a room of its own that tells what has not come."""

    @classmethod
    @contextlib.asynccontextmanager
    async def enter(cls, path="/", fenced=True, at=f"ws://{HERE}", **options):
        options.setdefault("max_size", 4 << 20)
        async with connect(f"{at}{path}", proxy=None, **options) as ws:
            peer = cls(ws)
            peer.greeting = await peer.hear("the greeting")
            peer.fence = fresh("fence")
            if fenced:
                await peer.subscribe(peer.fence)
            yield peer

    async def ask(self, event, rooms):
        await self.say({"event": event, "payload": list(rooms)})

    async def subscribe(self, *rooms):
        await self.ask("subscribe", rooms)
        for room in rooms:
            expected = json.dumps({"msg": f"Subscribed to {room}"}, separators=(",", ":"), ensure_ascii=False)
            seen = await self.hear(f"the answer for {room}")
            assert seen == expected, f"expected {expected!r}, seen {seen!r}"

    async def nothing_more(self, what, publisher):
        """Nothing of what `publisher` said before is on its way here: its fence is the next thing heard."""
        mark = json.dumps({"event": self.fence, "payload": next(_count)})
        await publisher.say(mark)
        equal(what, await self.hear("the fence"), mark)


async def all_rooms(stack, count, **options):
    """So many rooms clients at once, closed by the stack."""
    return await asyncio.gather(*(stack.enter_async_context(Rooms.enter(**options)) for _ in range(count)))


class Reply:
    """What curl got: the status, the heads (interim ones too), the header fields of the last, the body."""

    def __init__(self, heads, body, written):
        blocks = [b for b in heads.replace("\r\n", "\n").split("\n\n") if b.strip()]
        self.statuses = [int(block.split(" ")[1]) for block in blocks]
        self.version = blocks[-1].split(" ")[0]
        self.status = self.statuses[-1]
        fields = (line.partition(":") for line in blocks[-1].split("\n")[1:])
        self.fields = {name.lower(): value.strip() for name, _, value in fields}
        self.body = body
        self.written = written

    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return self.fields.get("content-type", "").split(";")[0]


async def curl(*words, stdin=None, written=""):
    """Runs curl to its end. `written` is what `--write-out` shall tell."""
    with tempfile.TemporaryDirectory() as folder:
        heads, body = Path(folder, "heads"), Path(folder, "body")
        program = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "--noproxy", "*", "--max-time", str(DEADLINE), "-D", heads, "-o", body),
            *("-w", written, *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await soon(program.communicate(stdin or b""), "curl", DEADLINE + 2)
        assert program.returncode == 0, f"curl {words}: {error.decode()}"
        return Reply(heads.read_text(), body.read_bytes() if body.exists() else b"", out.decode())


def url(path, host=HERE):
    return f"http://{host}{path}"


class Stream:
    """A response that does not end, as `curl -N` prints it, line by line."""

    def __init__(self, program):
        self.program = program
        self.status = None
        self.fields = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, path, *words, at=f"http://{HERE}"):
        """Ready when the head is there: then the channels are joined.

        curl holds back what `-i` prints until there is a body; `-D -` it prints at once.
        """
        program = await asyncio.create_subprocess_exec(
            *("curl", "-sSN", "-D", "-", "--noproxy", "*", *words, at + path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            limit=8 << 20,
        )
        try:
            stream = cls(program)
            stream.status = int((await stream.raw()).split(" ")[1])
            while line := await stream.raw():
                name, _, value = line.partition(":")
                stream.fields[name.lower()] = value.strip()
            yield stream
        finally:
            with contextlib.suppress(ProcessLookupError):
                program.kill()
            await program.wait()

    async def raw(self):
        line = await soon(self.program.stdout.readline(), "a line of the stream")
        assert line, "the stream ended"
        return line.decode().rstrip("\r\n")

    async def line(self):
        """The next line that says something; empty ones are heartbeats."""
        while not (line := await self.raw()):
            pass
        return line

    async def object(self):
        return json.loads(await self.line())

    async def event(self):
        """The next Server-Sent Event that has data, as its fields; several `data` lines are joined."""
        fields = {}
        while True:
            line = await self.raw()
            if not line and "data" in fields:
                return fields
            if not line:
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
