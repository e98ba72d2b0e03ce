"""Tokens of every algorithm by PyJWT, shown by `requests`, `curl` and `websockets`; and those that prove nothing."""

import asyncio
import base64
import json
import secrets

import jwt
import requests
from issuers import RSA, Signer, soon_over
from peers import Rooms, check, curl, equal, run
from servers import folder, refused, server
from websockets.exceptions import InvalidStatus

LISTENER = '[[listener]]\naddress = "127.0.0.1:0"\n'
SECRET = secrets.token_hex(32)


async def main():
    async with folder() as place:
        await by_secret(place)
        for algorithm in [*RSA, "ES256", "ES384", "EdDSA"]:
            await by_key(place, algorithm)
        await misconfigured(place)


async def status(running, token, how="header"):
    """What a GET of the list of channels is answered, and with which words."""
    url = f"http://127.0.0.1:{running.port()}/c"
    if how == "header":
        reply = await asyncio.to_thread(requests.get, url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    else:
        reply = await asyncio.to_thread(requests.get, url, params={"token": token}, timeout=10)
    return reply.status_code, reply.json().get("detail", "")


async def by_key(place, algorithm):
    signer = Signer(algorithm)
    (place / "key.pem").write_bytes(signer.pem())
    config = f'[auth.jwt]\npublic_key_file = "{place}/key.pem"\nalgorithms = ["{algorithm}"]\ngrants = ["READ **"]\n'
    async with server(place, LISTENER + config) as running:
        token = signer.token(sub="ann", exp=soon_over(60))
        equal(f"{algorithm}: a token by a PEM key is good", await status(running, token), (200, ""))
        other = Signer(algorithm).token(sub="ann", exp=soon_over(60))
        equal("another's is not", await status(running, other), (401, "the token's signature is wrong"))
        for secret in (signer.pem(), signer.pem().strip()):
            header, claims = (part({"alg": "HS256"}), part({"sub": "ann"}))
            forged = hmac_token(header, claims, secret)
            seen = await status(running, forged)
            equal("the public key is no secret", seen, (401, "the token's algorithm is not allowed"))


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hmac_token(header, claims, secret):
    import hashlib
    import hmac

    signed = f"{header}.{claims}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


async def by_secret(place):
    (place / "secret").write_text(SECRET + "\n")
    config = (
        f'[auth.jwt]\nsecret_file = "{place}/secret"\nalgorithms = ["HS256", "HS384", "HS512"]\n'
        'audience = "chat"\nchannels = ["user({user_id})", "site({host})"]\ngrants = ["READ news"]\n'
        '[[auth.token]]\nname = "backend"\ntoken = "b"\ngrants = ["WRITE user(*)", "WRITE site(*)"]\n'
    )
    async with server(place, LISTENER + config) as running:
        claims = {"user_id": 5, "host": "shop.example", "aud": "chat", "exp": soon_over(60)}
        for algorithm in ("HS256", "HS384", "HS512"):
            for how in ("header", "query"):
                token = jwt.encode(claims, SECRET, algorithm)
                equal(f"{algorithm} by {how}", await status(running, token, how), (200, ""))
        await bad(running, claims)
        await own(running, jwt.encode(claims, SECRET, "HS256"))


async def bad(running, claims):
    good = jwt.encode(claims, SECRET, "HS256")
    head, body, _ = good.split(".")
    alter = lambda **changes: jwt.encode({**claims, **changes}, SECRET, "HS256")
    nobody = {k: v for k, v in claims.items() if k != "user_id"}
    for token, words in [
        ("", "the token is missing"),
        ("x", "the token does not have three parts"),
        (f"{head}.{body}.", "the token is not signed"),
        (jwt.encode(claims, None, "none"), "the token is not signed"),
        (jwt.encode(claims, None, "none") + "AA", "the token's algorithm is not allowed"),
        ("AA.AA.AA", "the token cannot be read"),
        (jwt.encode(claims, "x" * 32, "HS256"), "the token's signature is wrong"),
        (alter(exp=1), "the token has expired"),
        (alter(nbf=soon_over(60)), "the token is not valid yet"),
        (alter(aud="mail"), "the token is not for `chat`"),
        (jwt.encode(nobody, SECRET, "HS256"), "the token has no claim `sub`"),
        (jwt.encode({**nobody, "sub": "a"}, SECRET, "HS256"), "the token has no claim `user_id`"),
        (alter(user_id=[5]), "the token's claim `user_id` cannot be used"),
        (jwt.encode(claims, SECRET, "HS256", headers={"crit": ["exp"]}), "the token demands (`crit`)"),
    ]:
        code, detail = await status(running, token, "query")
        check(f"{words}", code == 401 and detail.startswith(words), (token, code, detail))
    try:
        async with Rooms.enter(f"/?token={alter(exp=1)}", at=f"ws://127.0.0.1:{running.port()}"):
            raise AssertionError("an expired token opened a WebSocket")
    except InvalidStatus as refusal:
        equal("no WebSocket for an expired token", refusal.response.status_code, 401)


async def own(running, token):
    at = f"ws://127.0.0.1:{running.port()}"
    headers = {"Authorization": f"Bearer {token}"}
    async with Rooms.enter(at=at, fenced=False, additional_headers=headers) as peer:
        await peer.subscribe("user(5)", "site(shop.example)", "news")
        await peer.ask("subscribe", ["user(6)"])
        no = '{"msg":"Refused: this channel is assigned by the server"}'
        equal("another's channel is not joined", await peer.hear(), no)
        for channel in ("user(5)", "site(shop.example)"):
            base = f"http://127.0.0.1:{running.port()}/c/{channel}"
            reply = await curl("-d", '"mail"', "-H", "Authorization: Bearer b", base)
            equal(f"the backend publishes to {channel}", (reply.status, reply.json()), (202, {"members": 1}))
            equal("its owner hears", json.loads(await peer.hear()), {"event": channel, "payload": "mail"})
            reply = await curl("-d", '"x"', "-H", f"Authorization: Bearer {token}", base)
            equal("and may not publish there", reply.status, 403)


async def misconfigured(place):
    exposed = '[[listener]]\naddress = "0.0.0.0:0"\n[auth.jwt]\nsecret = "short"\n'
    said = await refused(place, exposed)
    wanted = ("auth.jwt.secret", "5 bytes", "openssl rand -hex 32")
    check("a short secret keeps a server from starting", all(w in said for w in wanted), said)
    check("and is not shown", "short" not in said.replace("shorter", ""), said)
    said = await refused(place, LISTENER + f'[auth.jwt]\nsecret = "{SECRET}"\nalgorithms = ["none"]\n')
    check("so does `none`", "`none` is no algorithm" in said and "HS256" in said, said)


run(main)
