"""Certificates that change while the server runs: new handshakes see them, and who is there stays."""

import asyncio
import contextlib
import signal
import ssl

from peers import check, equal, run, soon
from servers import certificate, folder, server

CONFIG = '[[listener]]\naddress = "127.0.0.1:0"\nhosts = ["a.test", "b.test"]\n'


async def main():
    async with folder() as place:
        a, b = certificate(place, "a", "a.test", "localhost"), certificate(place, "b", "b.test")
        tls = "".join(f'[[listener.tls]]\ncert = "{cert}"\nkey = "{key}"\n' for cert, key in (a, b))
        async with server(place, CONFIG + tls) as running:
            await replaced(running, place, running.port(), a, b)


def trusting(cert):
    return ssl.create_default_context(cafile=str(cert))


async def dial(port, context, name="a.test"):
    return await soon(asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name), "a handshake")


async def ask(port, context, name="a.test"):
    """The status of `/healthz`."""
    reader, writer = await dial(port, context, name)
    writer.write(f"GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    answer = (await soon(reader.read(), "an answer")).decode()
    writer.close()
    return int(answer.split(" ")[1])


async def replaced(running, place, port, a, b):
    stays, stays_writer = await dial(port, trusting(a[0]))
    other = place / "other"
    other.mkdir()
    c = certificate(other, "a", "a.test", "localhost")
    a[1].write_bytes(c[1].read_bytes())
    a[0].write_bytes(c[0].read_bytes())
    running.process.send_signal(signal.SIGHUP)
    fresh = trusting(c[0])
    for _ in range(100):
        with contextlib.suppress(ssl.SSLError):
            status = await ask(port, fresh)
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("new handshakes do not see the certificate that was replaced")
    equal("a certificate that is replaced is seen by new handshakes", status, 200)
    equal("and the other name's is as it was", await ask(port, trusting(b[0]), "b.test"), 200)
    stays_writer.write(b"GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n")
    check("and who was there stays", b" 200 " in await soon(stays.readline(), "an answer"))
    stays_writer.close()
    told = running.log.read_text().count("stay as they were")
    a[0].write_text("nonsense")
    running.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if running.log.read_text().count("stay as they were") > told:
            break
        await asyncio.sleep(0.1)
    again = running.log.read_text().count("stay as they were")
    check("one that cannot be used is told in the log", again > told, again)
    equal("and changes nothing", await ask(port, fresh), 200)


run(main)
