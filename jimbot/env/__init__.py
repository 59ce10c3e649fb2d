"""Balatro as a Gymnasium environment; importing this registers `jimbot/Balatro-v0`."""

from __future__ import annotations

from jimbot.errors import MissingExtra

try:
    import gymnasium
except ImportError:
    raise MissingExtra("gymnasium", "train") from None

ENV_ID = "jimbot/Balatro-v0"

gymnasium.register(
    id=ENV_ID,
    entry_point="jimbot.env.environment:BalatroEnv",
    vector_entry_point="jimbot.env.vector:BalatroVectorEnv",
)

__all__ = ["ENV_ID"]
