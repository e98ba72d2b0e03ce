"""`python-socketio` in `/` and `/admin` at once, each with a token of its own."""

import asyncio

import socketio
from peers import HERE, check, equal, fresh, run, soon

ADDRESS = f"http://{HERE}"


async def main():
    for way in (["polling"], ["websocket"], ["polling", "websocket"]):
        client = socketio.AsyncClient(reconnection=False)
        heard = {where: asyncio.Queue() for where in ("/", "/admin")}
        client.on("data", lambda *said: heard["/"].put_nowait(said))
        client.on("data", lambda *said: heard["/admin"].put_nowait(said), namespace="/admin")
        await client.connect(ADDRESS, transports=way, namespaces=["/", "/admin"])
        try:
            room = fresh()
            check(f"{way}: two ids", client.get_sid("/") != client.get_sid("/admin"))
            for where in heard:
                equal(f"{way}: subscribe in {where}", await client.call("subscribe", room, namespace=where, timeout=10), None)
            await client.emit("publish", (room, "for admins"), namespace="/admin")
            equal(f"{way}: heard in /admin", await soon(heard["/admin"].get(), "data"), (room, "for admins"))
            await client.emit("publish", (room, b"\x00\xff"))
            equal(f"{way}: heard in /", await soon(heard["/"].get(), "data"), (room, b"\x00\xff"))
            check(f"{way}: and nothing else", all(queue.empty() for queue in heard.values()))
        finally:
            await client.disconnect()
        # One token for all namespaces is refused where it is not good.
        client = socketio.AsyncClient(reconnection=False)
        try:
            await client.connect(ADDRESS, transports=way, namespaces=["/", "/admin"], auth={"token": "for admins"})
            check(f"{way}: a token for another namespace", False)
        except socketio.exceptions.ConnectionError as error:
            check(f"{way}: a token for another namespace", str(error).endswith(": /"), str(error))
        finally:
            await client.disconnect()


run(main)
