"""Clients of `python-socketio`, sync and asyncio, against the suite's server: the same for each major version of it."""

import asyncio
import queue

import socketio
from peers import HERE, Rooms, check, equal, fresh, soon

ADDRESS = f"http://{HERE}"
WAYS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
BYTES = b"\x00\x01\xff\xfe"


def _sync(way, room, later, name):
    """A client that blocks: what it hears comes through queues. `later` runs what is said elsewhere meanwhile."""
    client = socketio.Client(reconnection=False)
    heard = {"data": queue.Queue(), "broadcast": queue.Queue()}
    client.on("data", lambda where, said: heard["data"].put((where, said)))
    client.on("broadcast", lambda *said: heard["broadcast"].put(said))
    client.connect(ADDRESS, transports=WAYS[way])
    try:
        equal(f"{name}: carried", client.transport(), "polling" if way == "polling" else "websocket")
        equal(f"{name}: subscribe", client.call("subscribe", room, timeout=10), None)
        for said in ({"n": [1, None, "é😀"]}, "text", BYTES, {"photo": BYTES, "by": "python"}):
            client.emit("publish", (room, said))
            equal(f"{name}: publish {said!r:.40}", heard["data"].get(timeout=10), (room, said))
        later(f'{{"event":"{room}","payload":"elsewhere"}}')
        equal(f"{name}: heard from rooms", heard["data"].get(timeout=10), (room, "elsewhere"))
        later('{"event":"broadcast","payload":[1]}')
        equal(f"{name}: heard by all", heard["broadcast"].get(timeout=10), ([1],))
        refused = client.call("publish", ("", "x"), timeout=10)
        check(f"{name}: an error is said", "room" in refused["error"], refused)
        equal(f"{name}: unsubscribe", client.call("unsubscribe", room, timeout=10), None)
    finally:
        client.disconnect()


async def _asyncio(way, room, name):
    client = socketio.AsyncClient(reconnection=False)
    heard = asyncio.Queue()
    client.on("data", lambda where, said: heard.put_nowait((where, said)))
    await client.connect(ADDRESS, transports=WAYS[way])
    try:
        equal(f"{name}: carried", client.transport(), "polling" if way == "polling" else "websocket")
        equal(f"{name}: subscribe", await client.call("subscribe", room, timeout=10), None)
        for said in ({"n": [1, None, "é😀"]}, "text", BYTES, {"photo": BYTES, "by": "python"}):
            await client.emit("publish", (room, said))
            equal(f"{name}: publish {said!r:.40}", await soon(heard.get(), "data"), (room, said))
        refused = await client.call("publish", ("", "x"), timeout=10)
        check(f"{name}: an error is said", "room" in refused["error"], refused)
    finally:
        await client.disconnect()


async def main():
    loop = asyncio.get_running_loop()
    for way in WAYS:
        room = fresh()
        async with Rooms.enter(fenced=False) as other:

            def later(said):
                asyncio.run_coroutine_threadsafe(other.say(said), loop).result(10)

            name = f"sync, {way}"
            await soon(asyncio.to_thread(_sync, way, room, later, name), name, 30)
        await _asyncio(way, fresh(), f"asyncio, {way}")
