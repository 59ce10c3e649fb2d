"""The door to the game: events come in, durably, over a WebSocket."""

from __future__ import annotations
