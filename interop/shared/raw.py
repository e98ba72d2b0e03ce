"""Peers that speak bytes: WebSockets without a library, so that a script can be slow, rude or wrong on purpose.

And what the server's process takes, as the system counts it.
"""

import os
import socket
import struct
from pathlib import Path

from peers import HERE, PORT

CLOCK = os.sysconf("SC_CLK_TCK")


def dial(buffer=None):
    """A connection to the server; `buffer`: the bytes its kernel takes for us before the server must wait."""
    s = socket.socket()
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.settimeout(20)
    s.connect(("127.0.0.1", PORT))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def websocket(path="/", buffer=None):
    """A WebSocket, its handshake done."""
    s = dial(buffer)
    s.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {HERE}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(1)
    assert b" 101 " in head, head
    return s


def frame(payload, opcode=1, fin=True, key=b"\0\0\0\0"):
    """A masked frame; the key is nothing, so that the payload stands as it is."""
    if isinstance(payload, str):
        payload = payload.encode()
    first = bytes([(0x80 if fin else 0) | opcode])
    n = len(payload)
    if n < 126:
        return first + bytes([0x80 | n]) + key + payload
    if n < 1 << 16:
        return first + b"\xfe" + struct.pack(">H", n) + key + payload
    return first + b"\xff" + struct.pack(">Q", n) + key + payload


class Reader:
    """Reads frames from a socket."""

    def __init__(self, s):
        self.s, self.bytes = s, bytearray()

    def _need(self, n):
        while len(self.bytes) < n:
            more = self.s.recv(1 << 16)
            if not more:
                raise EOFError
            self.bytes += more

    def frame(self):
        """The next frame: its opcode and payload."""
        self._need(2)
        n, at = self.bytes[1] & 0x7F, 2
        if n == 126:
            self._need(4)
            n, at = struct.unpack(">H", self.bytes[2:4])[0], 4
        elif n == 127:
            self._need(10)
            n, at = struct.unpack(">Q", self.bytes[2:10])[0], 10
        self._need(at + n)
        opcode, payload = self.bytes[0] & 15, bytes(self.bytes[at : at + n])
        del self.bytes[: at + n]
        return opcode, payload


def server():
    """The process id of who listens at the port."""
    inode = None
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and int(words[1].split(":")[1], 16) == PORT:
            inode = f"socket:[{words[9]}]"
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if any(os.readlink(fd) == inode for fd in (folder / "fd").iterdir()):
                    return int(folder.name)
            except OSError:
                pass  # It has ended meanwhile, or is somebody else's.
    raise AssertionError(f"nobody listens at {PORT}")


def memory(pid):
    """Bytes of memory that the process has in use."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) << 10


def descriptors(pid):
    """How many files and sockets it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu(pid):
    """Seconds of processor time it has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / CLOCK
