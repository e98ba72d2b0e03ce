"""TLS itself: versions, names, resumption, ends of every kind, who stalls, certificates that cannot be used."""

import asyncio
import contextlib
import os
import ssl

from peers import check, equal, run, soon
from servers import certificate, folder, refused, server


def trusting(*certificates, version=None):
    """A client that trusts these certificates only, and speaks this version only."""
    context = ssl.create_default_context(cafile=str(certificates[0]))
    for more in certificates[1:]:
        context.load_verify_locations(cafile=str(more))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["http/1.1"])
    return context


def config(pairs, more=""):
    tls = "".join(f'[[listener.tls]]\ncert = "{cert}"\nkey = "{key}"\n' for cert, key in pairs)
    hosts = 'hosts = ["a.test", "b.test", "c.test"]\n'
    return f'[limits]\nhead_timeout = 2\n{more}\n[[listener]]\naddress = "127.0.0.1:0"\n{hosts}{tls}'


async def main():
    async with folder() as place:
        a, b = certificate(place, "a", "a.test", "localhost"), certificate(place, "b", "b.test", "*.c.test")
        async with server(place, config([a, b])) as running:
            port = running.port()
            check("the banner says https", running.addresses[0].startswith("https://"), running.addresses)
            await versions(port, a[0])
            await names(port, a[0], b[0])
            await asyncio.to_thread(resumption, port, a[0])
            await ends(port, a[0])
            await strangers(running, port)
        await mistakes(place, a, b)


async def dial(port, context, name="a.test"):
    return await soon(asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name), "a handshake")


async def ask(port, context, name="a.test"):
    """The status of `/healthz`, and the connection's TLS."""
    reader, writer = await dial(port, context, name)
    tls = writer.get_extra_info("ssl_object")
    writer.write(f"GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    answer = (await soon(reader.read(), "an answer")).decode()
    writer.close()
    return int(answer.split(" ")[1]), tls


async def versions(port, trusted):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        status, tls = await ask(port, trusting(trusted, version=version))
        equal(f"{version.name} is spoken", (status, tls.version()), (200, version.name.replace("_", ".")))
        equal(f"{version.name}: and http/1.1 is agreed on", tls.selected_alpn_protocol(), "http/1.1")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await ask(port, old)
        raise AssertionError("TLS 1.1 was spoken")
    check("TLS 1.1 is not", True)


async def names(port, a, b):
    both = trusting(a, b)
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE

    async def shown(name):
        reader, writer = await dial(port, blind, name)
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return "a" if der == ssl.PEM_cert_to_DER_cert(a.read_text()) else "b"

    seen = [await shown(name) for name in ("a.test", "b.test", "B.TEST", "x.c.test", "c.test", "nobody.test", "")]
    equal("the name chooses the certificate, the first is for all others", seen, ["a", "b", "b", "b", "a", "a", "a"])
    equal("and clients that check are content", (await ask(port, both, "b.test"))[0], 200)


def resumption(port, trusted):
    import socket

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context, session, reused = trusting(trusted, version=version), None, []
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), 10) as raw:
                with context.wrap_socket(raw, server_hostname="a.test", session=session) as tls:
                    tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
                    while tls.recv(4096):
                        pass
                    session = tls.session
                    reused.append(tls.session_reused)
        equal(f"{version.name}: a session is resumed", reused, [False, True, True])


async def ends(port, trusted):
    """Half closes and goodbyes, by memory BIOs: Python's own sockets tell nothing of a goodbye."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for how in ("a goodbye", "a goodbye in the same packet", "the end of the stream alone"):
            told = await half_close(port, trusting(trusted, version=version), how)
            equal(f"{version.name}: after {how} the answer comes, and a goodbye", told, (True, True))
        told = await half_close(port, trusting(trusted, version=version), "the end of the stream alone", piece=1)
        equal(f"{version.name}: a handshake and a request byte by byte", told, (True, True))


async def half_close(port, context, how, piece=1 << 20):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="a.test")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send():
        data = outgoing.read()
        for at in range(0, len(data), piece):
            writer.write(data[at : at + piece])
            await writer.drain()
            # Each piece in a packet of its own, as far as the kernel likes.
            await asyncio.sleep(0)

    async def step(act):
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                await send()
                data = await soon(reader.read(65536), "the handshake")
                assert data, "the connection ended in the handshake"
                incoming.write(data)

    await step(tls.do_handshake)
    tls.write(b"GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n")
    if how != "a goodbye in the same packet":
        await send()
    if "goodbye" in how:
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        await send()
    else:
        writer.write_eof()
    incoming.write(await soon(reader.read(), f"the end after {how}"))
    incoming.write_eof()
    writer.close()
    told = b""
    try:
        while part := tls.read():
            told += part
    except ssl.SSLZeroReturnError:
        return b" 200 " in told, True
    except ssl.SSLError as error:
        return b" 200 " in told, str(error)
    return b" 200 " in told, True


async def strangers(running, port):
    async def end_of(what, data, deadline=8.0):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        try:
            said = await soon(reader.read(), f"the end of {what}", deadline)
        except ConnectionError:
            said = b""
        writer.close()
        return said

    before = running.descriptors()
    plain = await end_of("plain HTTP at the port of TLS", b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    check("plain HTTP at the port of TLS ends, at most with an alert", plain == b"" or plain[0] == 0x15, plain)
    for what, data in {
        "garbage": b"\xff" * 300,
        "zeros": bytes(300),
        "a record of the greatest length": b"\x16\x03\x01\xff\xff" + bytes(70_000),
        "a handshake that is none": b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
        "a message longer than any": b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"\x16\x03\x01\x40\x00" + bytes(16384),
        "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    }.items():
        said = await end_of(what, data)
        check(f"{what} ends, at most with an alert", said == b"" or said[0] == 0x15, said)
    for what, data in {"who says nothing": b"", "who stalls in the handshake": b"\x16\x03\x01\x02\x00\x01\x00"}.items():
        said = await end_of(what, data)
        check(f"{what} is gone when the time for a head is over", said == b"" or said[0] == 0x15, said)
    for _ in range(100):
        if running.descriptors() <= before:
            break
        await asyncio.sleep(0.1)
    equal("no connection of theirs is left", max(running.descriptors(), before), before)


async def mistakes(place, a, b):
    async def words(what, pair, *expected):
        said = await refused(place, config([pair]))
        check(f"{what} is a clear error", all(word in said for word in expected), said)
        check(f"{what}: one problem, and no key is shown", "\n1 problem\n" in said and "PRIVATE" not in said, said)

    nowhere, empty = place / "nowhere.pem", place / "empty.pem"
    empty.write_text("")
    await words("a certificate that is not there", (nowhere, a[1]), str(nowhere), "certificate")
    await words("a key that is not there", (a[0], nowhere), str(nowhere), "private key")
    await words("a certificate file without one", (empty, a[1]), str(empty), "no certificate")
    await words("a key file without one", (a[0], empty), str(empty), "private key")
    await words("a key for a certificate", (a[1], a[1]), str(a[1]), "certificate")
    await words("a key that does not fit", (a[0], b[1]), str(b[1]), str(a[0]), "fit")
    secret = place / "secret.key"
    secret.write_bytes(b[1].read_bytes())
    if os.geteuid() != 0:
        secret.chmod(0)
        await words("a key that may not be read", (b[0], secret), str(secret))


run(main)
