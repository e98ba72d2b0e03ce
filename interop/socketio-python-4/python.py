"""Clients of `python-socketio` 4.x."""

from peers import run
from socketio_clients import main

run(main)
