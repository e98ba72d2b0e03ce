"""An issuer of tokens: PyJWT's keys and tokens, and a server of its key set that counts who asks."""

import asyncio
import contextlib
import json
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PUBLIC = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
RSA = [f"{kind}{bits}" for kind in ("RS", "PS") for bits in (256, 384, 512)]


class Signer:
    """A key, and what it signs."""

    def __init__(self, algorithm, kid=None):
        self.algorithm, self.kid = algorithm, kid
        if algorithm in RSA:
            self.key, self.kind = rsa.generate_private_key(65537, 2048), RSAAlgorithm
        elif algorithm == "EdDSA":
            self.key, self.kind = ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm
        else:
            curve = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}[algorithm]
            self.key, self.kind = ec.generate_private_key(curve()), ECAlgorithm

    def pem(self):
        return self.key.public_key().public_bytes(*PUBLIC)

    def jwk(self, **more):
        public = json.loads(self.kind.to_jwk(self.key.public_key()))
        return {**public, "use": "sig", **({"kid": self.kid} if self.kid else {}), **more}

    def token(self, algorithm=None, headers=None, **claims):
        headers = {**({"kid": self.kid} if self.kid else {}), **(headers or {})}
        return jwt.encode(claims, self.key, algorithm or self.algorithm, headers=headers)


def soon_over(seconds):
    """An `exp` so far ahead."""
    return time.time() + seconds


class KeyServer:
    """Serves a key set over HTTP; can be slow, fail, or hold its answer back."""

    def __init__(self):
        self.keys, self.asked, self.status, self.body = [], 0, 200, None
        self.open = asyncio.Event()
        self.open.set()

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls):
        self = cls()
        listening = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/keys"
        try:
            yield self
        finally:
            listening.close()

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked += 1
            self.line = head.split("\r\n")[0]
            await self.open.wait()
            body = self.body or json.dumps({"keys": self.keys}).encode()
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
        writer.close()
