from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.events import Event, EventLog
from jimbot.events.sqlite import SQLiteEventLog

Open = Callable[..., EventLog]


def heartbeat(event_id: str, *, source: str = "test", uptime: float = 0) -> Event:
    return Event(
        type="HEARTBEAT",
        source=source,
        event_id=event_id,
        timestamp=1_700_000_000_000,
        payload={"version": "1", "uptime": uptime},
    )


# A second engine is one more entry: from a directory to something that opens its log, again and
# again, `read_only` or not.
ENGINES: dict[str, Callable[[Path], Open]] = {
    "sqlite": lambda directory: (
        lambda read_only=False: SQLiteEventLog(directory / "log.sqlite", read_only=read_only)
    ),
}


@pytest.fixture(params=ENGINES)
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same log each time; all are closed at the end."""
    opener = ENGINES[request.param](tmp_path)
    opened: list[EventLog] = []

    def open_one(*, read_only: bool = False) -> EventLog:
        opened.append(opener(read_only=read_only))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


@pytest.fixture
def log(open_log: Open) -> EventLog:
    return open_log()
