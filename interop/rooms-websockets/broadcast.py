"""A broadcast reaches everybody once: the original reached only ten."""

import contextlib

from peers import Rooms, all_rooms, equal, run


async def main():
    async with contextlib.AsyncExitStack() as stack:
        peers = await all_rooms(stack, 12, fenced=False)
        # Whoever has been answered is known to the server; the first subscribes to nothing at all.
        for peer in peers[1:]:
            await peer.subscribe(peer.fence)
        await peers[1].subscribe("broadcast")
        for number, sender in enumerate(peers):
            frame = f'{{ "event":"broadcast", "payload":{{"from":{number}}} }}'
            await sender.say(frame)
            heard = [await peer.hear("a broadcast") for peer in peers]
            equal(f"the broadcast of client {number} reaches all 12, itself included", heard, [frame] * 12)
        for number, peer in enumerate(peers[1:], 1):
            await peer.nothing_more(f"client {number} has heard each of them once", peers[0])
        await peers[0].subscribe(peers[0].fence)
        await peers[0].nothing_more("so has the client that subscribed to nothing", peers[5])

        # Those who leave are no hindrance to those who stay.
        for peer in peers[6:]:
            await peer.ws.close()
        frame = '{"event":"broadcast","payload":"still here"}'
        await peers[0].say(frame)
        equal("a broadcast after six have left", [await p.hear() for p in peers[:6]], [frame] * 6)


run(main)
