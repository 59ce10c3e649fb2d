from __future__ import annotations

import os
import uuid
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


@pytest.fixture(params=["sqlite", "eventstore"])
def new_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Open]]:
    """Makes the place of one log, and returns what opens that log each time; all are closed at the
    end. An engine is one more parameter.

    EventStoreDB is the one at JIMBOT_TEST_EVENTSTORE, else a server of our own.
    """
    opened: list[EventLog] = []
    if request.param == "eventstore":
        address = os.environ.get("JIMBOT_TEST_EVENTSTORE")
        if not address:
            port = request.getfixturevalue("eventstore").port
            address = f"esdb://127.0.0.1:{port}?tls=false"
        from jimbot.events.eventstore import EventStoreLog

        def engine(name: str, read_only: bool) -> EventLog:
            # Each with a mirror of its own, as on machines of their own.
            mirror = tmp_path / f"mirror-{len(opened)}.sqlite"
            stream = f"jimbot-test-{name}"
            return EventStoreLog(mirror, address, read_only=read_only, stream=stream)
    else:

        def engine(name: str, read_only: bool) -> EventLog:
            return SQLiteEventLog(tmp_path / f"{name}.sqlite", read_only=read_only)

    def place() -> Open:
        name = uuid.uuid4().hex

        def open_one(*, read_only: bool = False) -> EventLog:
            opened.append(engine(name, read_only))
            return opened[-1]

        return open_one

    yield place
    for log in opened:
        log.close()


@pytest.fixture
def open_log(new_log: Callable[[], Open]) -> Open:
    """Opens the same log each time."""
    return new_log()


@pytest.fixture
def log(open_log: Open) -> EventLog:
    return open_log()
