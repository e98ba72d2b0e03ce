"""Python's `websockets` compresses and is compressed for, whatever windows it asks for."""

import contextlib
import json

from peers import Rooms, check, equal, fresh, run
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Deflate


def agreed(peer):
    return [extension.name for extension in peer.ws.protocol.extensions]


async def main():
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        stock = await enter(Rooms.enter())
        plain = await enter(Rooms.enter(compression=None))
        equal("a stock client agrees", agreed(stock), ["permessage-deflate"])
        equal("one that does not offer it does not", agreed(plain), [])
        peers = [stock, plain]
        for bits in range(9, 16):
            offer = Deflate(server_max_window_bits=bits, client_max_window_bits=bits)
            peers.append(await enter(Rooms.enter(compression=None, extensions=[offer])))
            equal(f"windows of {bits} bits are agreed to", agreed(peers[-1]), ["permessage-deflate"])
            own = peers[-1].ws.protocol.extensions[0]
            check("no larger than asked for", own.remote_max_window_bits <= bits, own)
        offer = Deflate(server_no_context_takeover=True, client_no_context_takeover=True)
        peers.append(await enter(Rooms.enter(compression=None, extensions=[offer])))
        own = peers[-1].ws.protocol.extensions[0]
        check("each message stands for itself", own.local_no_context_takeover and own.remote_no_context_takeover)

        room = fresh("chat")
        for peer in peers:
            await peer.subscribe(room)
        for words in ["short", "ünïcödé 🗼 " * 40, "again and again, " * 4000, "".join(map(chr, range(32, 0x3000)))]:
            for speaker in peers:
                frame = json.dumps({"event": room, "payload": words}, ensure_ascii=False)
                await speaker.say(frame)
                heard = [await peer.hear() == frame for peer in peers]
                equal(f"{len(frame)} characters, heard by all", heard, [True] * len(peers))

        # In fragments, which this client compresses one by one.
        frame = json.dumps({"event": room, "payload": "in parts, " * 100})
        await stock.ws.send(frame[i : i + 50] for i in range(0, len(frame), 50))
        equal("a message in fragments is one message", [await peer.hear() for peer in peers], [frame] * len(peers))
        for peer in peers:
            pong = await peer.ws.ping()
            await pong
        check("all connections live", True)


run(main)
