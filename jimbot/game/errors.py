"""What can go wrong in the game room."""

from __future__ import annotations

from jimbot.errors import JimbotError


class GameError(JimbotError):
    """Something about a game was wrong."""


class IllegalAction(GameError):
    """An action that the rules do not allow now; the state is unchanged."""


class InvalidSeed(GameError):
    """A seed that the game cannot have made."""


class CorruptSave(GameError):
    """A saved run that cannot be restored."""
