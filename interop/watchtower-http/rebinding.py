"""A callback's name that leads to a public address when it is asked for, and to this machine when it is called.

The server is the real one and so is who must not be called; the name server is `rebinding.c`, put before the C library's
resolver, which is what the server asks.
"""

import asyncio
import contextlib
import subprocess
from pathlib import Path

import receivers
from operators import ADMIN, metrics
from peers import check, equal, run
from senders import sender
from servers import folder, server, wait_for

NAME = "rebinding.example"
# Reachable by others, so that the guard is up.
CONFIG = """
proxies = ["192.0.2.1"]
[[listener]]
address = "127.0.0.1:0"
[[auth.token]]
name = "alice"
token = "s3cret"
grants = ["READ **"]
[dialect.watchtower]
secret = "open sesame"
[hooks]
backoff = 1
backoff_max = 1
failures = 2
"""


@contextlib.asynccontextmanager
async def misled(place, config, first):
    """A server that is told `first`, then this machine, and a sender of it."""
    library = place / "rebinding.so"
    source = Path(__file__).with_name("rebinding.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    names = {"REBINDING": NAME, "REBINDING_FIRST": first, "REBINDING_ASKED": str(place / "asked")}
    environment = {**ADMIN, **names, "LD_PRELOAD": str(library)}
    async with server(place, config, environment=environment) as running:
        async with sender(f"127.0.0.1:{running.port()}", "open sesame") as one:
            yield running, one


def asked(place):
    """How often the name was looked up."""
    return (place / "asked").stat().st_size


async def main():
    async with folder() as place, misled(place, CONFIG, "8.8.8.8") as (running, one), receivers.hole() as canary:
        await one.call_back(5, f"http://{NAME}:{canary.port}/hook")
        equal("a name that leads to a public address is taken", asked(place), 1)
        async with one.listen(5) as stream:
            equal("the callback is a member", await one.say(5, "secret"), 2)
            equal("the stream hears", await stream(1), ["secret"])

            async def given_up():
                return (await metrics(running))["chappe_hooks_given_up_total"] == 1

            await wait_for("when it leads to this machine, it is given up", given_up)
            seen = await metrics(running)
            equal("each POST was forbidden", seen["chappe_hook_posts_total.forbidden"], 2)
            equal("each time it connects it asks again", asked(place), 3)
            equal("nobody was called", canary.connections, 0)
            equal("the stream goes on", (await one.say(5, "on"), await stream(1)), (1, ["on"]))

    async with folder() as place, misled(place, CONFIG, "127.0.0.1") as (_, one):
        status, text = await one.post("/channels/join/async", channels=[5], callback_url=f"http://{NAME}/")
        check("a name that leads here at once is refused at once", status == 400 and "invalid callback URL" in text, text)

    # The same road where the guard is down: it leads to the canary, so that the guard is what has closed it.
    open_config = CONFIG + "private = true\n"
    async with folder() as place, misled(place, open_config, "8.8.8.8") as (_, one), receivers.receiver() as canary:
        await one.call_back(5, f"http://{NAME}:{canary.port}/hook")
        await one.say(5, "hello")
        path, headers, message = await canary.hear()
        equal("without the guard it is called", (path, message["message"]), ("/hook", "hello"))
        equal("by its name", headers["Host"], f"{NAME}:{canary.port}")


run(main)
