"""Devices: nc, C structs over TCP and UDP, and the examples as they stand, compiled and run."""

import asyncio
import contextlib
import os
import re
import socket
import struct
import sys
from pathlib import Path

from peers import check, curl, equal, run, soon
from servers import folder, server

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "watchtower"
STUBS = Path(__file__).resolve().parent / "arduino"

CONFIG = """
[[listener]]
address = "127.0.0.1:0"
[[listener]]
address = "127.0.0.1:0"
speaks = "watchtower"
[[listener]]
address = "udp:127.0.0.1:0"
speaks = "watchtower"
"""

# As a C program on a little-endian machine has them, packed.
ANSWER = struct.Struct("<cI")
JOIN = struct.Struct("<cII")
OUT = struct.Struct("<cIII")
IN = struct.Struct("<cIIHI")


class Device:
    """A device over TCP."""

    @classmethod
    async def enter(cls, port, channel=5):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(b"R")
        self.id = await self.answer()
        self.writer.write(JOIN.pack(b"J", self.id, channel))
        equal("joining is answered", await self.answer(), channel)
        return self

    async def answer(self):
        letter, number = ANSWER.unpack(await soon(self.reader.readexactly(ANSWER.size), "an answer"))
        assert letter == b"A", letter
        return number

    def say(self, words, channel=5):
        self.writer.write(OUT.pack(b"M", self.id, channel, len(words)) + words)

    async def hear(self):
        letter, sender, channel, kind, length = IN.unpack(await soon(self.reader.readexactly(IN.size), "a message"))
        assert (letter, kind) == (b"M", 0), (letter, kind)
        return sender, channel, await soon(self.reader.readexactly(length), "its body")


async def main():
    async with folder() as place, server(place, CONFIG) as running:
        ports = {a.partition("://")[0]: int(a.rpartition(":")[2]) for a in running.addresses}
        await shell(ports)
        await structs(ports)
        await datagrams(ports)
        await nonsense(ports)
        await examples(place, ports)


async def output(*words, said=b""):
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    heard, _ = await soon(process.communicate(said), " ".join(map(str, words)))
    return heard


async def shell(ports):
    """The document's own way: `echo "R" | nc`."""
    for way, port in ((), ports["tcp"]), (("-u",), ports["udp"]):
        heard = await output("nc", *way, "-w", "1", "127.0.0.1", str(port), said=b"R\n")
        letter, number = ANSWER.unpack(heard)
        check(f"nc {' '.join(way)} registers", letter == b"A" and number > 0, heard)
    heard = await output("nc", "-w", "1", "127.0.0.1", str(ports["tcp"]), said=b"J00000001\n")
    equal("digits are not numbers, and nobody joins who has not registered", heard, b"E")


async def structs(ports):
    one, two = await Device.enter(ports["tcp"]), await Device.enter(ports["tcp"])
    one.say(b"all your base")
    equal("who says it hears it", await one.hear(), (one.id, 5, b"all your base"))
    equal("and so do the others, at once", await two.hear(), (one.id, 5, b"all your base"))
    at = f"http://127.0.0.1:{ports['http']}/c/5"
    reply = await curl("-H", "Content-Type: text/plain", "-d", "from curl", at)
    equal("curl reaches both", (reply.status, reply.json()), (202, {"members": 2}))
    equal("a stranger's id is 0", await two.hear(), (0, 5, b"from curl"))
    equal("and the order is the same", await one.hear(), (0, 5, b"from curl"))
    body = bytes(range(256)) * 256
    for byte in OUT.pack(b"M", two.id, 5, len(body)):
        two.writer.write(bytes([byte]))
        await two.writer.drain()
    two.writer.write(body)
    equal("64 KiB of anything come whole, however they are cut", await one.hear(), (two.id, 5, body))
    await two.hear()
    for number in range(1000):
        one.say(str(number).encode())
    heard = [(await two.hear())[2] for _ in range(1000)]
    equal("a thousand in one piece are a thousand", heard, [str(n).encode() for n in range(1000)])
    for device in (one, two):
        device.writer.close()


async def datagrams(ports):
    loop = asyncio.get_running_loop()
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp:
        udp.setblocking(False)
        udp.connect(("127.0.0.1", ports["udp"]))

        async def ask(datagram):
            await loop.sock_sendall(udp, datagram)
            return await soon(loop.sock_recv(udp, 65536), "a datagram")

        letter, me = ANSWER.unpack(await ask(b"R"))
        equal("a datagram registers, and again", ANSWER.unpack(await ask(b"R")), (b"A", me))
        equal("and joins", ANSWER.unpack(await ask(JOIN.pack(b"J", me, 5))), (b"A", 5))
        words = OUT.pack(b"M", me, 5, 2) + b"hi"
        equal("and speaks", await ask(words), IN.pack(b"M", me, 5, 0, 2) + b"hi")
        device = await Device.enter(ports["tcp"])
        device.say(b"by stream")
        heard = await soon(loop.sock_recv(udp, 65536), "a datagram")
        equal("streams reach datagrams", heard, IN.pack(b"M", device.id, 5, 0, 9) + b"by stream")
        await device.hear()
        await loop.sock_sendall(udp, words)
        equal("and datagrams streams", await device.hear(), (me, 5, b"hi"))
        await soon(loop.sock_recv(udp, 65536), "its own")
        for n in range(200):
            device.say(b"%d" % n)
        heard = [(await soon(loop.sock_recv(udp, 65536), "a datagram"))[15:] for _ in range(200)]
        equal("a burst comes as as many datagrams, in order", heard, [b"%d" % n for n in range(200)])
        await loop.sock_sendall(udp, JOIN.pack(b"L", me, 5))
        await soon(loop.sock_recv(udp, 65536), "a goodbye")
        device.writer.close()


async def nonsense(ports):
    for said, what in (b"GET / HTTP/1.1\r\n\r\n", "HTTP"), (OUT.pack(b"M", 1, 5, 1 << 31), "a body of 2 GiB"):
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["tcp"])
        writer.write(said)
        equal(f"{what} is E and the end", await soon(reader.read(), "the end"), b"E")
        writer.close()


async def examples(place, ports):
    flags = ("-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{STUBS}", "-include", "Arduino.h", "-x", "c++")
    ours = {**os.environ}
    programs = []
    for way in "tcp", "udp":
        sketch = EXAMPLES / f"arduino-{way}" / f"arduino-{way}.ino"
        lines = len(sketch.read_text().splitlines())
        check(f"{sketch.name} has fewer than 60 lines", lines < 60, lines)
        binary = place / f"arduino-{way}"
        await output("g++", *flags, str(sketch), str(STUBS / "main.cpp"), "-o", str(binary))
        check(f"{sketch.name} compiles", binary.exists())
        env = {**ours, "CHAPPE_DEVICE_PORT": str(ports[way])}
        programs.append(((str(binary),), env, b"hello from an Arduino", lambda id, said: said))
    text = (EXAMPLES / "micropython.py").read_text()
    here = place / "micropython.py"
    named = re.subn(r'^HOST, PORT, CHANNEL = .*$', f'HOST, PORT, CHANNEL = "127.0.0.1", {ports["tcp"]}, 5', text, flags=re.M)
    equal("the address in micropython.py is in its place", named[1], 1)
    here.write_text(named[0])
    python = ((sys.executable, "-u", str(here)), ours, b"hello from MicroPython", lambda id, said: b"%d %s" % (id, said))
    script = (
        (str(EXAMPLES / "shell.sh"), "127.0.0.1", str(ports["tcp"])),
        ours,
        b"hello from a shell",
        lambda id, said: b"%d: %s" % (id, said),
    )
    listener = await Device.enter(ports["tcp"])
    for words, env, hello, shown in (*programs, python, script):
        name = Path(words[-1 if words[0] == sys.executable else 0]).name
        await example(listener, name, words, env, hello, shown)
    listener.writer.close()


async def example(listener, name, words, env, hello, shown):
    """Hears a program say hello, and sees it print what it is told."""
    process = await asyncio.create_subprocess_exec(
        *words, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        sender, _, said = await listener.hear()
        equal(f"{name} says hello", said, hello)
        listener.say(b"welcome")
        await listener.hear()
        lines = [await soon(process.stdout.readline(), name) for _ in range(2)]
        expected = [shown(sender, hello) + b"\n", shown(listener.id, b"welcome") + b"\n"]
        equal(f"{name} prints what is said", lines, expected)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        await process.wait()


run(main)
