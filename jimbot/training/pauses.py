"""When training waits: outside its windows, and while somebody plays a live game.

Asked between iterations; a pause is no stall, and says why it is one.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jimbot.appliance import Appliance

_MINUTES: Final = 24 * 60
LIVE_TIMEOUT_S: Final = 1.0
QUIET_S: Final = 60.0
_SIGNS_OF_LIFE: Final = ("jimbot_mcp_decisions_total", "jimbot_mcp_commands_total")


def inside(windows: Sequence[str], now: datetime.time) -> bool:
    """Whether a time of day lies in one of the windows (`22:00-07:00`); always when none is given.

    A window begins with its first minute and ends before its last; one from a time to the same
    time is the whole day.
    """
    minute = now.hour * 60 + now.minute
    for window in windows:
        start, end = (_minute(part) for part in window.split("-"))
        if (minute - start) % _MINUTES < ((end - start) % _MINUTES or _MINUTES):
            return True
    return not windows


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


class LiveGames:
    """Whether somebody plays: mcp has given a decision or a command in the last `quiet_s` seconds.

    An mcp that does not answer has no games.

    Args:
        url: of mcp's HTTP.
    """

    def __init__(
        self, url: str, *, quiet_s: float = QUIET_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._quiet_s = quiet_s
        self._clock = clock
        self._seen: float | None = None
        self._last = float("-inf")

    def __call__(self) -> bool:
        count = self._count()
        now = self._clock()
        # A count that fell is a new mcp's: whether it has decided anything says the count itself.
        if count is not None:
            before = count if self._seen is None else self._seen
            if count > before or 0 < count < before:
                self._last = now
            self._seen = count
        return now - self._last < self._quiet_s

    def _count(self) -> float | None:
        import httpx

        try:
            answer = httpx.get(f"{self._url}/metrics", timeout=LIVE_TIMEOUT_S, trust_env=False)
            text = answer.raise_for_status().text
        except httpx.HTTPError:
            return None
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith(_SIGNS_OF_LIFE)
        )


class Pauses:
    """Says why to wait now.

    Args:
        windows: `[training] off_peak`, in local time.
        live: whether a live game is played now; None when nobody is yielded to.
        clock: the local time.
    """

    def __init__(
        self,
        windows: Sequence[str] = (),
        live: Callable[[], bool] | None = None,
        clock: Callable[[], datetime.datetime] = datetime.datetime.now,
    ) -> None:
        self._windows = windows
        self._live = live
        self._clock = clock

    @classmethod
    def of(cls, appliance: Appliance) -> Pauses:
        """As the table has it."""
        table = appliance.training
        live = LiveGames(appliance.url("mcp")) if table.yield_to_live else None
        return cls(table.off_peak, live)

    def reason(self) -> str:
        """Why to wait; empty to go on."""
        if not inside(self._windows, self._clock().time()):
            return f"outside {', '.join(self._windows)}"
        if self._live is not None and self._live():
            return "live game"
        return ""
