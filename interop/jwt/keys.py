"""Keys that change: fetched from a server of their own, over HTTP and TLS, and from a file."""

import asyncio
import json

import requests
from issuers import KeyServer, Signer, soon_over
from peers import check, equal, run, soon
from servers import folder, server

LISTENER = '[[listener]]\naddress = "127.0.0.1:0"\n'
JWT = 'algorithms = ["ES256", "RS256"]\ngrants = ["READ **"]\n'


async def main():
    async with folder() as place, KeyServer.start() as keys:
        await rotation(place, keys)
    async with folder() as place, KeyServer.start() as keys:
        await late(place, keys)
    async with folder() as place, KeyServer.start() as keys:
        await failing(place, keys)


async def status(running, token):
    url = f"http://127.0.0.1:{running.port()}/c"
    headers = {"Authorization": f"Bearer {token}"}
    reply = await asyncio.to_thread(requests.get, url, headers=headers, timeout=15)
    return reply.status_code, reply.json().get("detail", "")


def good(signer, **headers):
    return signer.token(sub="ann", exp=soon_over(60), headers=headers)


UNKNOWN = (401, "the token is signed by a key that is not known")


async def rotation(place, keys):
    one, two, three = Signer("ES256", "one"), Signer("RS256", "two"), Signer("ES256", "three")
    keys.keys = [one.jwk()]
    config = f'[auth.jwt]\njwks_url = "{keys.url}"\n{JWT}'
    async with server(place, LISTENER + config) as running:
        equal("a key of the set is known", await status(running, good(one)), (200, ""))
        equal("the set was fetched once", (keys.asked, keys.line), (1, "GET /keys HTTP/1.1"))
        equal("a key that is not is not", await status(running, good(two)), UNKNOWN)
        lies = good(two, jku=f"http://127.0.0.1:{keys.port}/other", x5u=keys.url, jwk=two.jwk())
        equal("a token says nothing about where keys are", await status(running, lies), UNKNOWN)
        tokens = [good(Signer("ES256", f"k{n}")) for n in range(20)]
        answers = await asyncio.gather(*(status(running, token) for token in tokens))
        equal("nor do twenty names", set(answers), {UNKNOWN})
        equal("and nobody was asked again so soon", keys.asked, 1)
        # After the shortest time between two fetches, a name that is new is worth one.
        keys.keys = [two.jwk(), three.jwk()]
        end = asyncio.get_running_loop().time() + 20
        while (seen := await status(running, good(three))) != (200, "") and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.2)
        equal("a new key is found when a token names it", (seen, keys.asked), ((200, ""), 2))
        equal("so is the other", await status(running, good(two)), (200, ""))
        equal("the old one is gone", await status(running, good(one)), UNKNOWN)


async def late(place, keys):
    one = Signer("ES256", "one")
    keys.keys, keys.open = [one.jwk()], asyncio.Event()
    config = f'[auth.jwt]\njwks_url = "{keys.url}"\n{JWT}'
    async with server(place, LISTENER + config) as running:
        waiting = [asyncio.create_task(status(running, good(one))) for _ in range(5)]
        while keys.asked < 1:
            await asyncio.sleep(0.02)
        url = f"http://127.0.0.1:{running.port()}/healthz"
        reply = await asyncio.to_thread(requests.get, url, timeout=10)
        equal("while keys are fetched everything else goes on", reply.status_code, 200)
        check("and who needs them waits", not any(task.done() for task in waiting))
        keys.open.set()
        answers = await soon(asyncio.gather(*waiting), "answers that came late")
        equal("until they are there: all by one fetch", (answers, keys.asked), ([(200, "")] * 5, 1))


async def failing(place, keys):
    one = Signer("ES256", "one")
    keys.status = 500
    config = f'[auth.jwt]\njwks_url = "{keys.url}"\n{JWT}'
    async with server(place, LISTENER + config) as running:
        code, _ = await status(running, good(one))
        equal("without keys nobody is refused for good", code, 503)
        code, detail = await status(running, "a.b.c")
        equal("but for what is no token", (code, detail), (401, "the token cannot be read"))
        log = running.log.read_text()
        check("the log says why", "it answered 500" in log and "keys for tokens" in log, log)
    (place / "keys.json").write_text(json.dumps({"keys": [one.jwk()]}))
    config = f'[auth.jwt]\njwks_file = "{place}/keys.json"\n{JWT}'
    async with server(place, LISTENER + config) as running:
        equal("a file will do", await status(running, good(one)), (200, ""))
        two = Signer("ES256", "two")
        (place / "keys.json").write_text(json.dumps({"keys": [two.jwk()]}))
        equal("it is read again for a new name", await status(running, good(two)), (200, ""))
        equal("and the old key is gone", await status(running, good(one)), UNKNOWN)


run(main)
