"""What every service's log lines carry, and how it goes from one service to the next."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from jimbot.service import (
    CORRELATION_HEADER,
    Health,
    _JsonLines,
    correlate,
    http_app,
    note,
    noted,
)

_log = logging.getLogger("jimbot.test")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_JsonLines("mcp"))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def read(self) -> list[dict[str, object]]:
        return [json.loads(text) for text in self.texts]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    yield handler
    _log.removeHandler(handler)


def test_a_line_has_time_level_service_and_what_the_task_noted(lines: Lines) -> None:
    async def game(name: str) -> None:
        note(game=name, session="s1")
        await asyncio.sleep(0)
        _log.warning("a %s", "thing", extra={"fields": {"took_ms": 3}})

    async def main() -> None:
        await asyncio.gather(game("g1"), game("g2"))
        _log.info("of no game")

    asyncio.run(main())
    first, second, last = lines.read()
    assert first.pop("time")
    assert first == {
        "level": "warning",
        "service": "mcp",
        "logger": "jimbot.test",
        "message": "a thing",
        "game": "g1",
        "session": "s1",
        "took_ms": 3,
    }
    assert second["game"] == "g2"  # tasks do not mix
    assert "game" not in last


def test_what_is_noted_for_a_block_ends_with_it(lines: Lines) -> None:
    with noted(game="g1"):
        _log.info("in")
    _log.info("out")
    assert [line.get("game") for line in lines.read()] == ["g1", None]


def test_lines_stay_one_line_whatever_is_said(lines: Lines) -> None:
    with noted(game="g\n1"):
        _log.info("one\ntwo", extra={"fields": {"odd": object()}})
    [text] = lines.texts
    assert "\n" not in text


def test_a_correlation_id_goes_through_requests_into_lines_and_back(lines: Lines) -> None:
    app = http_app("test", lambda: Health(status="ok"))

    @app.get("/work")
    def work() -> str:
        """Log a line, in the thread that answers."""
        _log.info("working")
        return "done"

    with TestClient(app) as client:
        given = client.get("/work", headers={CORRELATION_HEADER: "abc-1"})
        made = client.get("/work")
        refused = client.get("/work", headers={CORRELATION_HEADER: "a b\tc"})
    first, second, third = (line["correlation_id"] for line in lines.read())
    assert given.headers[CORRELATION_HEADER] == first == "abc-1"
    assert made.headers[CORRELATION_HEADER] == second
    assert refused.headers[CORRELATION_HEADER] == third
    assert len({"abc-1", "a b\tc", second, third}) == 4


def test_our_own_requests_carry_the_tasks_id() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get(CORRELATION_HEADER))
        return httpx.Response(200)

    async def main() -> None:
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(answer), event_hooks={"request": [correlate]}
        ) as client:
            await client.get("http://claude/")
            with noted(correlation_id="c1"):
                await client.get("http://claude/")

    asyncio.run(main())
    assert seen == [None, "c1"]
