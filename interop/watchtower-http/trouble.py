"""Callbacks to receivers that are slow, refuse, never answer, come back late or redirect: nobody else notices.

Real receivers at a real server; how each of them stands is what the operator sees.
"""

import asyncio
import contextlib

import receivers
from operators import ADMIN, hooks, metrics
from peers import check, equal, run
from senders import sender
from servers import folder, server, wait_for

MESSAGES = [*range(50)]
FEW = 10
CONFIG = """
[[listener]]
address = "127.0.0.1:0"
[hooks]
timeout = 2
backoff = 1
backoff_max = 1
queue_messages = 10
"""


async def slow():
    """At the suite's own server, whose configuration is the usual one."""
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        one = await enter(sender())
        late = [await enter(receivers.receiver()) for _ in range(8)]
        for receiver in late:
            receiver.gate.clear()
            await one.call_back(31, receiver.url())
        prompt = await enter(receivers.receiver())
        await one.call_back(31, prompt.url())
        stream = await enter(one.listen(31))
        equal("slow receivers: all are members", await one.say(31, *MESSAGES), 10)
        firsts = [await receiver.messages(1) for receiver in late]
        equal("each of them has the first message, and keeps it", firsts, [[0]] * 8)
        equal("a stream hears everything in order", await stream(50), MESSAGES)
        equal("a prompt receiver does, too", await prompt.messages(50), MESSAGES)
        check("meanwhile nobody slow has heard more", all(receiver.came.empty() for receiver in late))
        for receiver in late:
            receiver.gate.set()
        rest = [await receiver.messages(49) for receiver in late]
        equal("they get the rest in order when they answer", rest, [MESSAGES[1:]] * 8)
        await one.post("/unregister")


async def dead(place):
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        running = await enter(server(place, CONFIG + "failures = 3\n", environment=ADMIN))
        one = await enter(sender(f"127.0.0.1:{running.port()}"))
        closed = stack.enter_context(receivers.nobody()).getsockname()[1]
        hole, sound = await enter(receivers.hole()), await enter(receivers.receiver())
        for port in (closed, hole.port, sound.port):
            await one.call_back(5, f"http://127.0.0.1:{port}/hook")
        stream = await enter(one.listen(5))
        equal("dead receivers: all are members", await one.say(5, *MESSAGES), 4)
        equal("a stream hears everything in order", await stream(50), MESSAGES)
        equal("a receiver that lives does, too", await sound.messages(50), MESSAGES)

        seen = (await hooks(running))[hole.port]
        equal("who never answers costs a queue with a bound", (seen["queued"], seen["missed"]), (FEW, 50 - FEW))
        waiting = (await metrics(running))["chappe_hook_queued_messages"]
        check("and no more than that is kept at all", waiting <= 2 * FEW, waiting)
        await wait_for("the list says why it fails", lambda: says(running, hole.port, "it did not answer in time"))

        async def given_up():
            return (await metrics(running))["chappe_hooks_given_up_total"] == 2

        await wait_for("both are given up", given_up)
        equal("only the one that lives is listed", list(await hooks(running)), [sound.port])
        equal("who never answers was called three times", hole.connections, 3)
        seen = await metrics(running)
        posts = [seen[f"chappe_hook_posts_total.{outcome}"] for outcome in ("delivered", "timeout", "connection")]
        equal("posts are counted by how they ended", posts, [50, 3, 3])
        waiting = [seen[f"chappe_hook_queued_{what}"] for what in ("messages", "bytes")]
        equal("nothing waits for the dead", waiting, [0, 0])
        equal("what they missed is counted", seen["chappe_hook_messages_missed_total"], 100)

        equal("the others are members still", await one.say(5, "on"), 2)
        equal("and hear", (await stream(1), await sound.messages(1)), (["on"], ["on"]))


async def says(running, port, words):
    return (await hooks(running)).get(port, {}).get("last_failure") == words


async def late(place):
    """Messages age, their callback does not."""
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        running = await enter(server(place, CONFIG + "max_age = 1\n", environment=ADMIN))
        one = await enter(sender(f"127.0.0.1:{running.port()}"))
        sock = stack.enter_context(receivers.nobody())
        port = sock.getsockname()[1]
        await one.call_back(5, f"http://127.0.0.1:{port}/")
        await one.say(5, *range(5))

        async def forgotten():
            seen = (await hooks(running))[port]
            return (seen["queued"], seen["missed"], seen["delivered"]) == (0, 5, 0)

        await wait_for("messages that are too old for a receiver that is away are forgotten", forgotten)
        receiver = await enter(receivers.receiver(sock))
        await one.say(5, "you are back")
        _, headers, message = await receiver.hear()
        equal("when it is back, it hears what is new", message["message"], "you are back")
        equal("and how many it has missed", headers["X-Missed"], "5")


async def redirecting(place):
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        running = await enter(server(place, CONFIG + "failures = 2\n", environment=ADMIN))
        one = await enter(sender(f"127.0.0.1:{running.port()}"))
        elsewhere = await enter(receivers.receiver())
        away = []
        for status in (301, 302, 303, 307, 308):
            receiver = await enter(receivers.receiver())
            receiver.status, receiver.headers = status, {"Location": elsewhere.url("/elsewhere")}
            await one.call_back(5, receiver.url())
            away.append(receiver)
        await one.say(5, "come")

        async def given_up():
            return (await metrics(running))["chappe_hooks_given_up_total"] == len(away)

        await wait_for("who redirects is given up", given_up)
        equal("each was called twice, as any that fails", [receiver.came.qsize() for receiver in away], [2] * 5)
        check("and nobody where they point to", elsewhere.came.empty())
        # The canary can hear.
        two = await enter(sender(f"127.0.0.1:{running.port()}"))
        await two.call_back(6, elsewhere.url("/here"))
        await two.say(6, "fence")
        equal("until it asks itself", (await elsewhere.hear())[0], "/here")


async def main():
    await slow()

    async def each(trouble):
        async with folder() as place:
            await trouble(place)

    # They wait for time to pass, which they can do together.
    await asyncio.gather(*map(each, (dead, late, redirecting)))


run(main)
