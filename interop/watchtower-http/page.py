"""The page docs/watchtower.md, pasted line by line: what it shows is what comes."""

import asyncio
import contextlib
import os
import re
import signal

import receivers
from peers import check, equal, run, soon
from servers import ROOT, folder, server

PAGE = ROOT / "docs" / "watchtower.md"
LOCAL = """
[[listener]]
address = "127.0.0.1:0"
[[listener]]
address = "127.0.0.1:0"
speaks = "watchtower"
"""


def blocks(language=""):
    """Each block of the page, and what it is."""
    return [block for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.M | re.S) if kind == language]


class Terminal:
    """A shell in which one thing runs until it is closed."""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, line):
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", line),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
        terminal = cls()
        terminal.process = process
        try:
            yield terminal
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def line(self):
        while not (line := await soon(self.process.stdout.readline(), "a line")).strip():
            assert line, "it ended"
        return line.decode().rstrip("\n")


async def pasted(line):
    """What a line prints that ends by itself."""
    async with Terminal.open(line) as terminal:
        out = await soon(terminal.process.stdout.read(), line)
        check(f"it works: {line.splitlines()[0][:60]}", await terminal.process.wait() == 0, out)
        return out.decode().strip("\n")


class Page:
    """The lines to paste, in their order, with this server's ports in the place of those that are printed."""

    def __init__(self, web, devices, receiver):
        self.lines, self.id = iter(blocks("sh")), "72"
        self.ports = {":6889": f":{web}", " 3033": f" {devices}", "8000": f"{receiver}"}

    def next(self, word):
        """The next line, in which this word is."""
        line = next(self.lines)
        assert word in line, f"{word}: {line}"
        for printed, real in self.ports.items():
            line = line.replace(printed, real)
        return f"id={self.id}\n{line}".rstrip()

    async def paste(self, word):
        return await pasted(self.next(word))


async def main():
    text = PAGE.read_text()
    with receivers.nobody() as sock:
        receiver = sock.getsockname()[1]
    async with folder() as place, server(place, LOCAL) as running, contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        devices = int(running.addresses[-1].rpartition(":")[2])
        page = Page(running.port(), devices, receiver)
        check("the page begins with the server", next(page.lines) == "chappe serve\n")
        said = await page.paste("/register")
        page.id = re.fullmatch(r'{"id":(\d+),"token":"[0-9a-f]{32}"}', said)[1]
        check("the next line keeps the number", next(page.lines).startswith("id=72 "))
        shown = [block.strip("\n").replace("72", page.id) for block in blocks()]

        stream = await enter(Terminal.open(page.next("/channels/join")))
        listed = page.next("/channels?sender")
        while (said := await pasted(listed)) == "":
            pass
        equal("the channels are as shown", said, shown[1])
        equal("a broadcast is answered as shown", await page.paste("/broadcast"), shown[2])
        equal("and heard as shown", await stream.line(), shown[3])
        equal("named receivers", await page.paste("/send"), "{}")
        check("hear it", "only for you" in await stream.line())
        await page.paste("/c/5")
        check("HTTP is heard", "hello from outside" in await stream.line())

        called = await enter(Terminal.open(page.next("HTTPServer")))
        equal("a callback", await page.paste("/channels/join/async"), "{}")
        equal("a callback with a secret of its own", await page.paste("callback_secret"), "{}")
        registered = await page.paste("printf R")
        check("a device is registered as shown", re.fullmatch(r" 41( [0-9a-f]{2}){4}", registered), registered)
        device = await enter(Terminal.open(page.next("shell.sh")))
        check("a device in a shell hears itself", "hello from a shell" in await device.line())
        check("and so does the stream", "hello from a shell" in await stream.line())
        check("and the receiver", "hello from a shell" in await called.line())

        leave, unregister = page.next("/channels/leave").splitlines()[1:]
        equal("leaving", await pasted(f"id={page.id}; {leave}"), "{}")
        equal("unregistering", await pasted(f"id={page.id}; {unregister}"), "{}")
        check("every answer that is shown has been seen", len(shown) == 5, shown)
    await beyond(page)
    check("every line has been pasted", next(page.lines, None) is None)
    check("the port is the one that is printed everywhere", ":6889" in text and "3033" in text)


async def beyond(page):
    """The configuration for a server that others can reach, at ports of the system's choice."""
    async with folder() as place:
        aliases, config, *_ = blocks("toml")
        config = config.replace(":6889", ":0").replace(":3033", ":0").replace("/etc/chappe", str(place))
        (place / "watchtower.secret").write_text("open sesame\n")
        (place / "alice.token").write_text("not so short\n")
        async with server(place, aliases + config) as running:
            port = next(a for a in running.addresses if a.startswith("tcp")).rpartition(":")[2]
            line = page.next("open sesame").replace("192.168.1.10", "127.0.0.1")
            line = line.replace(page.ports[" 3033"], f" {port}")
            said = await pasted(line.removesuffix("od -An -c") + "od -An -tx1")
            check("a device registers with the secret", said.startswith(" 61 ") and len(said.split()) == 37, said)


run(main)
