"""A canary that echoes every ten milliseconds, while others do their worst. It hears every one of its echoes.

The hostile peers are processes of their own, each with one bad habit.
"""

import json
import multiprocessing
import os
import random
import socket
import time

from peers import HERE, check, equal, fresh
from raw import Reader, cpu, descriptors, dial, frame, memory, server, websocket

ECHOES = 600
HABITS = {}


def habit(act):
    HABITS[act.__name__] = act
    return act


@habit
def tiny_fragments():
    s = websocket()
    s.sendall(frame("a", fin=False) + frame("a", opcode=0, fin=False) * 100_000)


@habit
def pings():
    s = websocket()
    s.sendall(frame("p", opcode=9) * 20_000)
    s.settimeout(1)
    while s.recv(1 << 16):
        pass


@habit
def a_head_without_end():
    s = dial()
    s.sendall(b"GET / HTTP/1.1\r\n")
    for n in range(5000):
        s.sendall(f"X-{n}: {'y' * 60}\r\n".encode())


@habit
def a_large_announcement():
    s = websocket()
    s.sendall(b"\x81\xff" + (1 << 62).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 100_000)


@habit
def garbage():
    s = dial()
    s.sendall(os.urandom(200_000))


@habit
def garbage_frames():
    s = websocket()
    s.sendall(os.urandom(50_000))


@habit
def many_channels():
    s = websocket()
    for n in range(300):
        names = [f"flood-{os.getpid()}-{n}-{m}" for m in range(100)]
        s.sendall(frame(json.dumps({"event": "subscribe", "payload": names})))
    s.settimeout(1)
    while s.recv(1 << 16):
        pass


@habit
def deep_json():
    s = websocket()
    for _ in range(20):
        s.sendall(frame('{"event":"x","payload":' + "[" * 200_000 + "]" * 200_000 + "}"))


@habit
def connections_that_say_nothing():
    held = [dial() for _ in range(200)]
    time.sleep(0.2)
    for s in held:
        s.close()


@habit
def resets():
    for _ in range(200):
        s = websocket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()


@habit
def pipelined_requests():
    s = dial()
    s.sendall(f"GET /c HTTP/1.1\r\nHost: {HERE}\r\n\r\n".encode() * 3000)
    s.settimeout(1)
    while s.recv(1 << 16):
        pass


def misbehave(names, until):
    while time.monotonic() < until:
        try:
            HABITS[random.choice(names)]()
        except (OSError, AssertionError):
            pass  # Cut, as it deserves.


def main():
    pid = server()
    calm = Reader(websocket())
    room = fresh("canary")
    calm.s.sendall(frame(json.dumps({"event": "subscribe", "payload": [room]})))
    while room.encode() not in calm.frame()[1]:
        pass
    files, base = descriptors(pid), memory(pid)
    until = time.monotonic() + ECHOES * 0.01
    names = sorted(HABITS)
    hostile = [multiprocessing.Process(target=misbehave, args=(names, until)) for _ in range(2)]
    for p in hostile:
        p.start()
    late, start = [], time.monotonic()
    for n in range(ECHOES):
        due = start + n * 0.01
        time.sleep(max(0, due - time.monotonic()))
        said, sent = f'{{"event":"{room}","payload":{n}}}', time.monotonic()
        calm.s.sendall(frame(said))
        opcode, heard = calm.frame()
        while opcode == 9:
            calm.s.sendall(frame(heard, opcode=10))
            opcode, heard = calm.frame()
        if heard != said.encode():
            equal("the canary hears its echo", heard, said)
        late.append(time.monotonic() - sent)
    for p in hostile:
        p.join()
    check(f"the canary heard all of its {ECHOES} echoes", True)
    late.sort()
    print(f"the canary's echoes: p50 {late[len(late) // 2] * 1e3:.2f} ms, p99 {late[len(late) * 99 // 100] * 1e3:.2f} ms")
    end = time.monotonic() + 25
    while descriptors(pid) > files and time.monotonic() < end:
        time.sleep(0.05)
    check("descriptors have returned", descriptors(pid) <= files, (files, descriptors(pid)))
    print(f"memory: {base / 2**20:.1f} MiB before, {memory(pid) / 2**20:.1f} after; {cpu(pid):.1f} s of processor time")


if __name__ == "__main__":
    main()
