"""A server that others can reach, with tokens of its own: off until it has a secret; then senders show their tokens.

`requests` sends a body after its head, as many clients do.
"""

import asyncio
import subprocess

import requests
from peers import check, equal, run
from servers import BINARY, ENVIRONMENT, folder, server

CONFIG = """
proxies = ["192.0.2.1"]
[[listener]]
address = "127.0.0.1:0"
[[auth.token]]
name = "alice"
token = "s3cret"
grants = ["READ **"]
"""
SECRET = """
[dialect.watchtower]
secret = "open sesame"
"""


def summary(place, config):
    (place / "check.toml").write_text(config)
    done = subprocess.run([BINARY, "config", "check", place / "check.toml"], capture_output=True, env=ENVIRONMENT)
    return done.stdout.decode()


async def main():
    async with folder() as place:
        said = summary(place, CONFIG)
        check("config check names what is missing", "dialect.watchtower.secret must be set" in said, said)
        async with server(place, CONFIG) as running:
            reply = await post(running, "/register", {"secret_key": "watchtowers_are_awesome"})
            check("without a secret it is off", reply.status_code in (401, 404), reply.status_code)
    async with folder() as place:
        said = summary(place, CONFIG + SECRET)
        check("config check says that tokens are shown", "on, senders show their tokens" in said, said)
        async with server(place, CONFIG + SECRET) as running:
            await senders(running)


async def senders(running):
    reply = await post(running, "/register", {"secret_key": "watchtowers_are_awesome"})
    equal("the document's secret is none", (reply.status_code, reply.text), (401, "invalid or missing secret key\n"))
    reply = await post(running, "/register", {"secret_key": "open sesame"})
    equal("the secret is one", reply.status_code, 200)
    sender = reply.json()
    bearer = {"Authorization": f"Bearer {sender['token']}"}

    body = {"sender": sender["id"], "channels": [5], "message": "hi"}
    reply = await post(running, "/broadcast", body)
    equal("without its token a sender is nobody", reply.status_code, 401)
    reply = await post(running, "/broadcast", body, headers=bearer)
    equal("with it, it is not in the channel", (reply.status_code, reply.text), (400, "tried to send to unjoined channel 5\n"))
    stream = await asyncio.to_thread(
        requests.get,
        f"http://127.0.0.1:{running.port()}/channels/join/5",
        params={"sender": sender["id"]},
        headers=bearer,
        stream=True,
        timeout=10,
    )
    equal("its stream", stream.status_code, 200)
    reply = await post(running, "/broadcast", body, headers=bearer)
    equal("is heard", (reply.status_code, reply.json()), (200, {"members": 1}))
    line = await asyncio.to_thread(lambda: next(line for line in stream.iter_lines(chunk_size=1) if line))
    check("by itself", b'"message":"hi"' in line, line)
    stream.close()
    reply = await post(running, "/broadcast", {**body, "message": "x" * (70 << 10)}, headers=bearer)
    equal("a body of strangers is short", reply.status_code, 401)


async def post(running, path, body, **options):
    url = f"http://127.0.0.1:{running.port()}{path}"
    return await asyncio.to_thread(requests.post, url, json=body, timeout=10, **options)


run(main)
