"""The curriculum: which games are played, from easy ones to those that count.

A level is a stake and a goal, the ante whose boss wins the game. Levels go through all goals of a
stake before the next stake's. Pure: it is told of games and says what to play; what it needs to go
on after a restart is in `Standing`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from jimbot.appliance.training import Curriculum


class Level(NamedTuple):
    stake: str
    goal: int


@dataclass
class Standing:
    """Where the curriculum is: the level's number, and the games played and won on it."""

    level: int = 0
    games: int = 0
    won: int = 0


class Ladder:
    """The levels of a table and where we stand.

    Args:
        rules: `[training.curriculum]`.
        stake: the first stake; those before it are left out.
        standing: where to go on.
    """

    def __init__(self, rules: Curriculum, stake: str, standing: Standing | None = None) -> None:
        stakes = rules.stakes[rules.stakes.index(stake) :] if stake in rules.stakes else (stake,)
        self.levels = [Level(each, goal) for each in stakes for goal in rules.goals]
        self.standing = standing or Standing()
        self.standing.level = min(self.standing.level, len(self.levels) - 1)
        self._rules = rules

    @property
    def level(self) -> Level:
        return self.levels[self.standing.level]

    def count(self, games: int, won: int) -> bool:
        """Take games of this level into account; True when that changed the level."""
        standing = self.standing
        standing.games += games
        standing.won += won
        if standing.games < self._rules.games:
            return False
        rate = standing.won / standing.games
        step = (rate >= self._rules.advance) - (rate < self._rules.retreat)
        level = min(max(standing.level + step, 0), len(self.levels) - 1)
        changed = level != standing.level
        self.standing = Standing(level)
        return changed

    def state(self) -> dict[str, Any]:
        return asdict(self.standing)
