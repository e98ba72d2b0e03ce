"""slowhttptest's four attacks at once, while a WebSocket hears its own words: the server stays available, and when it
is over nothing of it is left."""

import asyncio
import json
import re
import time

from peers import Rooms, check, curl, equal, fresh, run, soon
from servers import folder, server, wait_for

CONFIG = '[limits]\nhead_timeout = 5\nkeep_alive = 5\n[[listener]]\naddress = "127.0.0.1:0"\n'
SECONDS = 15
CONNECTIONS = 200
EVERY = 0.01


async def main():
    async with folder() as place, server(place, CONFIG) as running:
        port = running.port()
        before = running.descriptors()
        async with Rooms.enter(at=f"ws://localhost:{port}") as canary:
            done = asyncio.Event()
            singing = asyncio.create_task(sing(canary, done))
            attacks = {
                "slow heads": ("-H", "-t", "GET", "-x", "24"),
                "slow bodies": ("-B", "-t", "POST", "-s", "8192", "-x", "10"),
                "slow reading": ("-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "3"),
                "many ranges": ("-R", "-a", "10", "-b", "3000"),
            }
            said = await asyncio.gather(*(attack(port, words) for words in attacks.values()))
            done.set()
            sent, heard, late = await singing
        for what, text in zip(attacks, said):
            ended = re.search(r"Exit status: +(No open connections left|Hit test time limit)", text)
            check(f"{what}: the attack went to its end", ended, text[-1500:])
            seen = re.findall(r"service available:\s+(\w+)", text)
            check(f"{what}: the server was available all the while", seen and set(seen) == {"YES"}, text[-1500:])
        print(f"canary: {sent} sent, {heard} heard when it was over, p99 {late[int(len(late) * 0.99)] * 1000:.1f} ms")
        check("the canary has heard at least 95 of 100 words", sent > 0 and heard >= 0.95 * sent, (sent, heard))
        equal("a request is answered as before", (await curl(f"http://localhost:{port}/healthz")).status, 200)
        await wait_for("no connection is left", lambda: running.descriptors() <= before)


async def sing(canary, done):
    """Says a word every 10 ms, and counts what is heard of it; how many, and how late in seconds, sorted."""
    room = fresh("canary")
    await canary.subscribe(room)
    began, late = [], []

    async def hear():
        while True:
            number = json.loads(await canary.ws.recv())["payload"]
            late.append(time.perf_counter() - began[number])

    hearing = asyncio.create_task(hear())
    while not done.is_set():
        began.append(time.perf_counter())
        await canary.say({"event": room, "payload": len(began) - 1})
        await asyncio.sleep(EVERY)
    # The last words are on their way.
    heard = len(late)
    hearing.cancel()
    return len(began), heard, sorted(late)


async def attack(port, words):
    process = await asyncio.create_subprocess_exec(
        *("slowhttptest", "-c", str(CONNECTIONS), "-r", "100", "-i", "2", "-p", "5", "-l", str(SECONDS)),
        *(*words, "-u", f"http://localhost:{port}/c"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await soon(process.communicate(), "slowhttptest", SECONDS + 20)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.decode(errors="replace"))


run(main)
