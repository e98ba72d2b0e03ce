"""HTTP itself: problems, methods, lists, keep-alive, pipelines, Expect, HTTP/1.0, sizes, hosts and origins."""

import asyncio
import contextlib
import json

from peers import HERE, PORT, Rooms, Stream, check, curl, equal, fresh, run, soon, url


async def main():
    await problems()
    await lists()
    await guards()
    async with contextlib.AsyncExitStack() as stack:
        room = await stack.enter_async_context(Rooms.enter())
        await connections(room)
        await bodies(room)


def problem(what, reply, status):
    equal(f"{what} is {status}", reply.status, status)
    equal(f"{what}: as a problem", reply.type, "application/problem+json")
    body = reply.json()
    check(f"{what}: which says what", body.get("status") == status and body.get("title"), body)
    return body


async def problems():
    chat = fresh("chat")
    reply = await curl("-H", "Content-Type: application/json", "-d", '{"a":1,}', url(f"/c/{chat}"))
    body = problem("JSON that is none", reply, 400)
    check("JSON that is none: and where", any(c.isdigit() for c in body.get("detail", "")), body)
    reply = await curl("-H", "Content-Type: application/json", "--data-binary", "@-", url(f"/c/{chat}"), stdin=b"")
    problem("no JSON at all", reply, 400)
    reply = await curl("-H", "Content-Type: text/plain", "--data-binary", "@-", url(f"/c/{chat}"), stdin=b"\xff")
    problem("text that is no UTF-8", reply, 400)
    problem("an empty name", await curl("-d", "1", url("/c/")), 404)
    problem("an empty name among others", await curl("-d", "1", url(f"/c/{chat},")), 404)
    problem("a path that is nobody's", await curl(url("/no/such/path")), 404)
    for method in ("PUT", "DELETE", "PATCH"):
        reply = await curl("-X", method, url(f"/c/{chat}"))
        problem(f"{method} of a channel", reply, 405)
        allowed = {word.strip() for word in reply.fields.get("allow", "").split(",")}
        check(f"{method} of a channel: and what is allowed", {"GET", "POST"} <= allowed, reply.fields)
    equal("a name with a control character is refused", (await curl("-d", "1", url("/c/a%00b"))).status, 400)
    equal("a name of 256 bytes is refused", (await curl("-d", "1", url(f"/c/{'x' * 256}"))).status, 400)
    equal("a name of 255 bytes is not", (await curl("-d", "1", url(f"/c/{'x' * 255}"))).status, 202)


async def lists():
    name = fresh("listed")
    async with Stream.open(f"/c/{name}"):
        reply = await curl(url("/c"))
        equal("GET /c answers JSON", (reply.status, reply.type), (200, "application/json"))
        check("GET /c lists a channel that has a member", name in reply.body.decode(), reply.body)
        found = [c for c in walk(reply.json()) if c.get("channel", c.get("name")) == name]
        equal("with how many it has", [c.get("members") for c in found], [1])


def walk(value):
    """Every object inside."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from walk(item)


async def guards():
    chat = fresh("chat")
    for origin in ("http://localhost:5173", "http://127.0.0.1", "https://localhost"):
        reply = await curl("-H", f"Origin: {origin}", "-d", "1", url(f"/c/{chat}"))
        equal(f"a page of {origin} may publish", reply.status, 202)
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        reply = await curl("-H", f"Origin: {origin}", "-d", "1", url(f"/c/{chat}"))
        equal(f"a page of {origin} may not", reply.status, 403)
    equal("localhost is a host of ours", (await curl("-d", "1", url(f"/c/{chat}", f"localhost:{PORT}"))).status, 202)
    reply = await curl("-H", "Host: evil.example", "-d", "1", url(f"/c/{chat}"))
    check("another host is not", reply.status in (400, 403, 421), reply.status)


async def connections(room):
    chat = fresh("chat")
    await room.subscribe(chat)
    one = url(f"/c/{chat}")
    reply = await curl("-d", "1", one, one, "-o", "/dev/null", written="%{num_connects} ")
    equal("a connection is kept for the next request", reply.written, "1 0 ")
    heard = [await room.hear(), await room.hear()]
    equal("and both are heard", heard, [f'{{"event":"{chat}","payload":1}}'] * 2)

    reply = await curl("-H", "Connection: close", "-d", "2", one)
    equal("unless it shall not be", (reply.status, reply.fields.get("connection", "").lower()), (202, "close"))
    await room.hear()

    reply = await curl("-0", "-d", "3", one)
    equal("HTTP/1.0 is answered", (reply.status, reply.json()), (202, {"members": 1}))
    check("and not in chunks", "transfer-encoding" not in reply.fields, reply.fields)
    equal("and heard", await room.hear(), f'{{"event":"{chat}","payload":3}}')

    # curl does not pipeline, others do: ten requests in one packet, ten answers in order.
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    for number in range(10):
        body = json.dumps(number)
        writer.write(f"POST /c/{chat} HTTP/1.1\r\nHost: {HERE}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    last = f"GET /no/such/path HTTP/1.1\r\nHost: {HERE}\r\nConnection: close\r\n\r\n"
    writer.write(last.encode())
    answers = (await soon(reader.read(), "the answers")).decode()
    writer.close()
    statuses = [int(part.split(" ")[0]) for part in answers.split("HTTP/1.1 ")[1:]]
    equal("a pipeline of ten and one is answered in order", statuses, [202] * 10 + [404])
    heard = [await room.hear() for _ in range(10)]
    equal("and heard in order", heard, [f'{{"event":"{chat}","payload":{n}}}' for n in range(10)])

    # In chunks, of which curl makes an upload of unknown length.
    words = ("-H", "Transfer-Encoding: chunked", "-H", "Content-Type: application/json", "--data-binary", "@-")
    reply = await curl(*words, one, stdin=json.dumps("y" * 100_000).encode())
    equal("a body in chunks is taken", reply.status, 202)
    equal("and heard whole", json.loads(await room.hear())["payload"], "y" * 100_000)


async def bodies(room):
    chat = fresh("big")
    await room.subscribe(chat)
    big = json.dumps("x" * 1_900_000).encode()
    words = ("-H", "Expect: 100-continue", "-H", "Content-Type: application/json", "--data-binary", "@-")
    reply = await curl(*words, url(f"/c/{chat}"), stdin=big)
    equal("100-continue, then 202, for 1.9 MB", reply.statuses, [100, 202])
    equal("and heard whole", len(json.loads(await room.hear())["payload"]), 1_900_000)

    reply = await curl(*words, url(f"/c/{chat}"), stdin=b'"' + b"x" * (2 << 20) + b'"')
    equal("more than 2 MiB is 413, before it is sent", reply.statuses, [413])
    await room.nothing_more("and heard by nobody", room)


run(main)
