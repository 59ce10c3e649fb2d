"""What every store of time series can do, whichever engine keeps it.

A series is a name and its tags; a point is one value of it. Beside them the store keeps a row a
game (`jimbot.metrics.games`), since both come from the same events and must be written together.
Everything in here can be thrown away and rebuilt from the event log. Engines:
`jimbot.metrics.sqlite` (embedded).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from jimbot.errors import JimbotError
from jimbot.metrics.games import GameCount, GameRow, Kind

How = Literal["sum", "count", "mean", "min", "max", "last", "p50", "p95", "p99"]
"""How the points of one bucket become one value.

`last` is the latest by time, of equals the one written last. Percentiles are by nearest rank: the
smallest value that at least so many percent of the values do not exceed. Over more than some ten
thousand points, and where raw points are no longer kept, they are within 1 % of it.
"""

PROJECTION = "metrics"


class SeriesError(JimbotError):
    """The store could not be opened, read or written; nothing was half-written."""


class SeriesMissing(SeriesError):
    """There is no store yet: its owner, which makes it, has not run."""


class Keep(NamedTuple):
    """How long (ms) each resolution of the series is kept, and the rows of games."""

    raw: int
    minutes: int
    hours: int
    games: int


class Point(NamedTuple):
    """One value of the series `name` with `tags`, at `time` (ms since 1970)."""

    name: str
    time: int
    value: float
    tags: Mapping[str, str] = {}


class SeriesStore(Protocol):
    """Points by name and time. Ranges of time are half open: `start` <= time < `end`.

    `tags` narrows a question to the series that have at least these tags.
    """

    def write(
        self,
        points: Sequence[Point],
        *,
        games: Sequence[GameRow] = (),
        position: int | None = None,
        after: int | None = None,
        projection: str = PROJECTION,
    ) -> None:
        """Store points, games and the projection's position, all or none.

        Args:
            position: the log's position up to which the projection now is.
            after: the position at which the projection must still be, so that two followers of
                one log cannot store the same events twice.

        Raises:
            SeriesError: nothing was stored; a value is not finite, or `after` does not hold, or
                the engine refused.
        """

    def position(self, projection: str = PROJECTION) -> int:
        """The log's position up to which a projection is in the store; 0 before the first."""

    def range(
        self,
        name: str,
        *,
        start: int,
        end: int,
        step: int,
        how: How,
        tags: Mapping[str, str] | None = None,
    ) -> list[tuple[int, float]]:
        """`(bucket's start, value)` by time; buckets without points are left out.

        Buckets begin at multiples of `step` (ms), so they stay where they are as `start` moves.
        Where a time is no longer kept as finely as asked, its minutes or hours count as if all of
        their points were at their beginning; for percentiles, its hours.
        """

    def total(
        self,
        name: str,
        start: int,
        end: int,
        how: How,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> float | None:
        """All points between two times as one value; None when there are none (0 for `count`)."""

    def latest(self, name: str, *, tags: Mapping[str, str] | None = None) -> Point | None:
        """The last point by time."""

    def names(self) -> list[str]:
        """Every name that has points, sorted."""

    def recent_games(
        self,
        limit: int,
        before: int | None = None,
        *,
        policy: str | None = None,
        won: bool | None = None,
    ) -> list[GameRow]:
        """The newest games first, with position < `before`: the last row's position pages on."""

    def game(self, game_id: str) -> GameRow | None:
        """One game's summary; the newest where an id came twice."""

    def counts(self, kind: Kind) -> list[GameCount]:
        """Games and wins by joker, hand, policy, deck or stake; the most games first."""

    def retain(self, now: int, keep: Keep) -> int:
        """Forget what is older than is to be kept; returns how many rows went.

        Points written later with a time that old still count in what is coarser.
        """

    def clear(self) -> None:
        """Forget everything, positions too, so that it can be rebuilt from the log."""

    def close(self) -> None: ...
