"""Sockets that somebody else has opened, as systemd hands them over: by name, of both kinds, and wrong ones."""

import os
import shutil
import socket
import sys

from peers import check, curl, equal, run
from servers import folder, server

# Becomes the server: what it has at descriptor 3 and on is for this very process.
LAUNCH = """
import os, sys
names, *command = sys.argv[1:]
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(names.count(":") + 1), LISTEN_FDNAMES=names)
os.execvp(command[0], command)
"""


def config(*names):
    return "insecure = true\nadmin.address = \"off\"\n" + "".join(f'[[listener]]\naddress = "systemd:{name}"\nhosts = ["localhost"]\n' for name in names)


async def main():
    async with folder() as place:
        await handed_over(place)
        await wrong(place)
        await activated(place)


def launched(names, sockets):
    """Starts a server with these sockets at 3, 4, …"""

    def place_them():
        for n, one in enumerate(sockets):
            os.dup2(one.fileno(), 100 + n)
        for n, _ in enumerate(sockets):
            os.dup2(100 + n, 3 + n)
            os.close(100 + n)

    fds = tuple(range(3, 3 + len(sockets)))
    return {"before": (sys.executable, "-c", LAUNCH, names), "pass_fds": fds, "preexec_fn": place_them}


def listening(path=None):
    one = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    one.bind(str(path) if path else ("127.0.0.1", 0))
    one.listen(16)
    return one


async def handed_over(place):
    path = place / "systemd.sock"
    web, local = listening(), listening(path)
    port = web.getsockname()[1]
    for order in (("web", "local"), ("local", "web")):
        async with server(place, config(*order), **launched("web:local", [web, local])) as running:
            wanted = {"web": f"http://127.0.0.1:{port}", "local": f"unix:{path}"}
            equal(f"{order}: each name finds its socket", running.addresses, [wanted[name] for name in order])
            equal("by TCP", (await curl(f"http://localhost:{port}/healthz")).status, 200)
            equal("by the unix socket", (await curl("--unix-socket", path, "http://localhost/healthz")).status, 200)
        check("at the end systemd's socket is still there", path.is_socket())
    async with server(place, config("chappe.socket"), **launched("chappe.socket", [web])):
        equal("a unit's own name is one as well", (await curl(f"http://localhost:{port}/healthz")).status, 200)
    web.close()
    local.close()


async def wrong(place):
    web = listening()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    for what, names, wanted, sockets in (
        ("no socket of that name", "web", ("nobody",), [web]),
        ("one socket for two listeners", "web", ("web", "web"), [web]),
        ("a socket for datagrams", "web", ("web",), [datagrams]),
    ):
        try:
            async with server(place, config(*wanted), **launched(names, sockets)):
                raise RuntimeError(f"{what} was taken")
        except AssertionError as error:
            said = str(error)
            check(f"{what} is a clear error", f"systemd:{wanted[0]}" in said and "panicked" not in said, said)
    web.close()
    datagrams.close()


async def activated(place):
    """The real thing, where it is: it starts the server when somebody comes."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        return check("systemd-socket-activate is not on this machine", True)
    probe = listening()
    port = probe.getsockname()[1]
    probe.close()
    import asyncio
    from servers import BINARY, answers

    (place / "server.toml").write_text(config("web"))
    log = place / "activate.log"
    with log.open("wb") as out:
        words = (program, "-l", f"127.0.0.1:{port}", "--fdname=web", BINARY, "serve", "-c", place / "server.toml")
        process = await asyncio.create_subprocess_exec(*words, stdout=out, stderr=out)
        try:
            await answers(port, process, log)
            reply = await curl("--retry", "5", f"http://localhost:{port}/healthz")
            equal("systemd-socket-activate's socket is served", reply.status, 200)
        finally:
            process.terminate()
            equal("and it ends as it should", await asyncio.wait_for(process.wait(), 15), 0)


run(main)
