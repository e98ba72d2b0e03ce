"""Twenty readers that do not read, a healthy one, and 100 MiB published as fast as the healthy one takes them.

The healthy one hears everything, the others are told or cut, and the server does not grow by more than 25 MiB.
"""

import json
import threading
import time

from peers import check, equal, fresh
from raw import Reader, frame, memory, server, websocket

STALLED, MESSAGES, SIZE = 20, 1600, 64 << 10
# Messages that the publisher is ahead of the healthy reader, at most: half of what may wait for a reader.
AHEAD = 32
ROOM_TO_GROW = 25 << 20
room = fresh("flood")


def subscribed(buffer=None):
    s = websocket(buffer=buffer)
    s.sendall(frame(json.dumps({"event": "subscribe", "payload": [room]})))
    return s


def wait_for(reader, text):
    while text not in reader.frame()[1]:
        pass


healthy = Reader(subscribed())
wait_for(healthy, room.encode())
stalled = []
for _ in range(STALLED):
    s = subscribed(buffer=4096)
    wait_for(Reader(s), room.encode())
    stalled.append(s)

pid = server()
base = memory(pid)
peak, over = [base], threading.Event()
room_ahead = threading.Semaphore(AHEAD)


def watch():
    while not over.wait(0.01):
        peak[0] = max(peak[0], memory(pid))


def publish():
    s = websocket()
    payload = "x" * SIZE
    for n in range(MESSAGES):
        room_ahead.acquire()
        s.sendall(frame(f'{{"event":"{room}","payload":"{n:08} {time.monotonic():.6f} {payload}"}}'))
    s.sendall(frame(b"", opcode=8))
    try:
        while s.recv(1 << 16):
            pass
    except OSError:
        pass


threads = [threading.Thread(target=watch), threading.Thread(target=publish)]
for t in threads:
    t.start()
heard, late = [], []
while len(heard) < MESSAGES:
    opcode, payload = healthy.frame()
    if opcode == 1 and payload.startswith(f'{{"event":"{room}"'.encode()):
        number, sent = payload.split(b'"payload":"')[1].split(b" ", 2)[:2]
        room_ahead.release()
        heard.append(int(number))
        late.append(time.monotonic() - float(sent))
threads[1].join()
over.set()
threads[0].join()
equal("the healthy reader hears everything, in order", heard, list(range(MESSAGES)))
grown = peak[0] - base
check(f"the server grew by {grown / 2**20:.1f} MiB, of 25 allowed", grown <= ROOM_TO_GROW, grown)

cut = 0
for s in stalled:
    s.settimeout(20)
    try:
        while s.recv(1 << 20):
            pass
        cut += 1
    except OSError:
        cut += 1
equal("every reader that stalled has been cut", cut, STALLED)
late.sort()
print(f"latency of the healthy reader: p50 {late[len(late) // 2] * 1e3:.1f} ms, p99 {late[len(late) * 99 // 100] * 1e3:.1f} ms")
