# A Watchtower device in MicroPython: says hello on channel 5, and prints what is said there.
import socket
import struct

HOST, PORT, CHANNEL = "192.168.1.10", 3033, 5
server = socket.socket()
server.connect(socket.getaddrinfo(HOST, PORT)[0][-1])
stream = server.makefile("rb")


def ask(command):
    server.send(command)
    if stream.read(1) != b"A":
        raise SystemExit("the server says no")
    return struct.unpack("<I", stream.read(4))[0]


me = ask(b"R")
ask(b"J" + struct.pack("<II", me, CHANNEL))
words = b"hello from MicroPython"
server.send(b"M" + struct.pack("<III", me, CHANNEL, len(words)) + words)
while stream.read(1) == b"M":
    sender, channel, kind, length = struct.unpack("<IIHI", stream.read(14))
    print(sender, stream.read(length).decode())
