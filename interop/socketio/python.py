"""Clients of `python-socketio` 5.x."""

from peers import run
from socketio_clients import main

run(main)
