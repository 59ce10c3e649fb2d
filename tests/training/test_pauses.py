from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import ValidationError

from jimbot.appliance import Appliance
from jimbot.appliance.training import Training
from jimbot.training.pauses import LiveGames, Pauses, inside


@pytest.mark.parametrize(
    ("windows", "time", "expected"),
    [
        ([], "12:00", True),
        (["22:00-07:00"], "22:00", True),
        (["22:00-07:00"], "23:59", True),
        (["22:00-07:00"], "00:00", True),
        (["22:00-07:00"], "06:59", True),
        (["22:00-07:00"], "07:00", False),
        (["22:00-07:00"], "21:59", False),
        (["01:00-02:00", "12:00-13:00"], "12:30", True),
        (["01:00-02:00", "12:00-13:00"], "03:00", False),
        (["05:00-05:00"], "04:59", True),
        (["05:00-05:00"], "05:00", True),
    ],
)
def test_windows(windows: list[str], time: str, expected: bool) -> None:
    assert inside(windows, datetime.time.fromisoformat(time)) is expected


@pytest.mark.parametrize("window", ["24:00-07:00", "7:00-8:00", "22:00", "night"])
def test_a_window_that_is_none_does_not_load(appliance: Appliance, window: str) -> None:
    table = appliance.training.model_dump() | {"off_peak": [window]}
    with pytest.raises(ValidationError):
        Training.model_validate(table)


def test_it_says_why_it_waits() -> None:
    noon = datetime.datetime(2026, 11, 24, 12)
    live = False
    pauses = Pauses(["22:00-07:00"], lambda: live, lambda: noon)
    assert pauses.reason() == "outside 22:00-07:00"
    pauses = Pauses([], lambda: live, lambda: noon)
    assert pauses.reason() == ""
    live = True
    assert pauses.reason() == "live game"
    assert Pauses([], None, lambda: noon).reason() == ""


class Mcp:
    """What mcp's /metrics says, and a way to change it."""

    def __init__(self) -> None:
        self.decisions = 0
        self.commands = 0
        mcp = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = (
                    "# TYPE jimbot_mcp_decisions_total counter\n"
                    f'jimbot_mcp_decisions_total{{source="policy"}} {mcp.decisions}.0\n'
                    f"jimbot_mcp_commands_total {mcp.commands}.0\n"
                    "jimbot_mcp_events_acknowledged_total 9000.0\n"
                )
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def mcp() -> Iterator[Mcp]:
    served = Mcp()
    yield served
    served.stop()


def test_a_game_is_live_while_it_is_decided_in(mcp: Mcp) -> None:
    now = 1000.0
    live = LiveGames(mcp.url, quiet_s=60, clock=lambda: now)
    assert not live()
    mcp.decisions += 1
    assert live()
    now += 59
    assert live()
    now += 1
    assert not live()
    mcp.commands += 3
    assert live()


def test_decisions_of_before_training_began_are_no_sign(mcp: Mcp) -> None:
    mcp.decisions = 500
    assert not LiveGames(mcp.url)()


def test_an_mcp_that_is_away_is_not_yielded_to(mcp: Mcp) -> None:
    now = 0.0
    live = LiveGames(mcp.url, quiet_s=60, clock=lambda: now)
    mcp.decisions = 7
    live()
    mcp.stop()
    assert not live()


def test_a_new_mcps_decisions_count(mcp: Mcp) -> None:
    live = LiveGames(mcp.url)
    mcp.decisions = 500
    assert not live()
    mcp.decisions = 2  # restarted, and playing already
    assert live()
