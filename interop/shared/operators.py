"""What an operator sees of a server that a script runs: its metrics, its list of callbacks."""

import asyncio

import requests
from prometheus_client.parser import text_string_to_metric_families as families

# For `server(environment=…)`: an admin listener at a port of the system's choice.
ADMIN = {"CHAPPE__ADMIN__ADDRESS": "127.0.0.1:0"}


async def _get(running, path):
    return await asyncio.to_thread(requests.get, f"http://{running.admin}{path}", timeout=10)


async def metrics(running):
    """Every sample that has no label, or one, by `name` or `name.value`."""
    text = (await _get(running, "/metrics")).text
    samples = (sample for family in families(text) for sample in family.samples)
    return {".".join((s.name, *s.labels.values())): s.value for s in samples if len(s.labels) < 2}


async def hooks(running):
    """The callbacks that are open, by the port they lead to."""
    listed = (await _get(running, "/hooks")).json()
    assert listed["open"] == len(listed["hooks"]), listed
    return {int(hook["target"].rpartition(":")[2]): hook for hook in listed["hooks"]}
