"""Servers and other programs that a script starts itself, each with a folder, a configuration and an end of its own.

Every wait has a deadline; ports are the system's choice.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import check, soon

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ["CHAPPE_BINARY"]
# The admin listener has a port of its own, which the next server would want as well.
ENVIRONMENT = {
    **os.environ,
    "RUST_BACKTRACE": "1",
    "CHAPPE_LOG": "info,carrier=debug",
    "CHAPPE__ADMIN__ADDRESS": "off",
}
START = 20.0
STOP = 10.0


class Server:
    """A server that runs: where it listens, as its banner says, and its log."""

    def __init__(self, process, folder):
        self.process = process
        self.folder = folder
        self.log = folder / "server.log"
        self.addresses = []
        self.admin = None

    async def hear_banner(self):
        while line := (await soon(self.process.stdout.readline(), "the banner", START)).decode():
            if " is listening at " in line:
                words = line.split(" is listening at ")[1].split(" (")[0]
                self.addresses = words.split(" and ")
            elif line.startswith("and for devices at "):
                self.addresses += line.split(" at ")[1].strip().split(" and ")
            elif line.startswith("  metrics "):
                self.admin = line.split("http://")[1].split("/")[0]
            elif line.startswith("Ctrl-C"):
                return
        await self.process.wait()
        raise AssertionError(f"the server did not start: {self.log.read_text()}")

    def port(self, number=0):
        """The port of one of its addresses that have one."""
        ports = [int(a.rpartition(":")[2]) for a in self.addresses if a.startswith("http")]
        return ports[number]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def ticks(self):
        """Clock ticks of processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    async def stop(self):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        code = await soon(self.process.wait(), "the server's end", STOP)
        log = self.log.read_text()
        assert "panicked at" not in log, log[-4000:]
        assert code == 0, f"the server ended with {code}: {log[-4000:]}"


@contextlib.asynccontextmanager
async def folder():
    with tempfile.TemporaryDirectory(prefix="chappe-") as name:
        yield Path(name)


@contextlib.asynccontextmanager
async def server(place, config, *, before=(), environment=None, **options):
    """Runs a server with this configuration in this folder. `before`: words of the command line before it."""
    (place / "server.toml").write_text(config)
    with (place / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*before, BINARY, "serve", "--config", place / "server.toml", "--shards", "2"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**ENVIRONMENT, **(environment or {})},
            **options,
        )
    running = Server(process, place)
    try:
        await running.hear_banner()
        yield running
        await running.stop()
    except BaseException:
        if running.log.exists():
            print(running.log.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def refused(place, config):
    """Starts a server that shall not start; what it said."""
    (place / "server.toml").write_text(config)
    process = await asyncio.create_subprocess_exec(
        *(BINARY, "serve", "--config", place / "server.toml"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**ENVIRONMENT, "CHAPPE_LOG": "warn"},
    )
    try:
        _, said = await soon(process.communicate(), "a server that does not start", START)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode in (1, 2), f"ended with {process.returncode}: {said.decode()}"
    return said.decode()


@contextlib.asynccontextmanager
async def program(*words, log=None, **options):
    """Another program, in the foreground, which ends with the block."""
    out = log.open("wb") if log else subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, **options
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()


async def answers(port, process=None, log=None):
    """Waits until somebody listens there."""
    for _ in range(400):
        if process is not None and process.returncode is not None:
            raise AssertionError(f"it ended with {process.returncode}: {log.read_text() if log else ''}")
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"nobody listens at port {port}: {log.read_text() if log else ''}")


def certificate(place, name, *hosts):
    """Makes a certificate that signs itself, good for these names; says where it and its key are."""
    cert, key = place / f"{name}.pem", place / f"{name}.key"
    names = ",".join(f"DNS:{host}" for host in hosts)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"),
            *("-keyout", key, "-out", cert),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


async def wait_for(what, condition, deadline=15.0):
    """Looks until it is so. The condition may have to be waited for itself."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline

    async def look():
        seen = condition()
        return await seen if asyncio.iscoroutine(seen) else seen

    while not (seen := await look()) and loop.time() < end:
        await asyncio.sleep(0.05)
    check(what, seen, seen)
