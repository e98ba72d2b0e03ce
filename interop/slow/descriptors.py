"""No descriptors left: accepting rests, without a spin; who is there is served; and when there are some again, all go on."""

import asyncio
import json
import os
import time

from peers import Rooms, check, curl, equal, fresh, run, soon
from servers import folder, server, wait_for

CONFIG = '[limits]\nhead_timeout = 60\n[[listener]]\naddress = "127.0.0.1:0"\n'
MOST = 80
WATCHED = 3.0


async def main():
    async with folder() as place:
        async with server(place, CONFIG, before=("prlimit", f"--nofile={MOST}:{MOST}")) as running:
            port = running.port()
            async with Rooms.enter(at=f"ws://localhost:{port}") as canary:
                room = fresh("canary")
                await canary.subscribe(room)
                before = running.descriptors()
                for attempt in (1, 2):
                    await exhausted(running, port, canary, room, attempt, before)


async def exhausted(running, port, canary, room, attempt, before):
    crowd = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(150)))
    await wait_for("all descriptors are taken", lambda: running.descriptors() >= MOST - 1)
    # It must be seen to rest for a while; what is asserted is what it has done, not how long that took.
    ticks, began = running.ticks(), time.monotonic()
    echoed = 0
    while time.monotonic() - began < WATCHED:
        await canary.say({"event": room, "payload": echoed})
        heard = json.loads(await canary.hear())["payload"]
        assert heard == echoed, f"{heard} for {echoed}"
        echoed += 1
        await asyncio.sleep(0.1)
    used = (running.ticks() - ticks) / os.sysconf("SC_CLK_TCK")
    watched = time.monotonic() - began
    check(f"time {attempt}: the server rests", used < 0.2 * watched, (used, watched))
    check(f"time {attempt}: and who is there is served", echoed > 5, echoed)
    said = running.log.read_text().count("nobody can be accepted")
    check(f"time {attempt}: the log says so, and not too often", attempt <= said < 30 * attempt, said)
    late = asyncio.create_task(curl(f"http://localhost:{port}/healthz"))
    for _, writer in crowd:
        writer.close()
    equal(f"time {attempt}: when there are some again, who waits is served", (await late).status, 200)
    await wait_for(f"time {attempt}: nothing is left of the crowd", lambda: running.descriptors() <= before)


run(main)
