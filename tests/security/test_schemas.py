"""Every HTTP API does what its schema says, whatever is sent: schemathesis, seeded and short.

`JIMBOT_FUZZ=500` looks longer.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from prometheus_client import CollectorRegistry
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

from jimbot.claude.analysis import Analyst
from jimbot.claude.http import app as claude_app
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.service import Health, http_app, serving
from tests.analytics.conftest import Analytics, add, analytics, game  # noqa: F401
from tests.claude.conftest import Make, bench, roomy, table  # noqa: F401
from tests.mcp.test_door import Running as Door
from tests.mcp.test_door import Switched
from tests.security.test_attacks import http

EXAMPLES = int(os.environ.get("JIMBOT_FUZZ", "8"))
CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
# Its answer holds pairs (`prefixItems`), which this schemathesis cannot check an answer against.
PAIRS = {"/api/v1/series/{name}"}
# Streams never end; these answer with Prometheus' and the page's own types.
PASSED_OVER = {"/api/v1/stream"}


def attack(port: int, most: int = 40) -> int:
    """Send what the schema allows and what it does not to every operation; how many there were."""
    url = f"http://127.0.0.1:{port}"
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [
        found.ok() for found in schema.get_all_operations() if found.ok().path not in PASSED_OVER
    ]
    assert 0 < len(operations) <= most
    for operation in operations:

        @seed(2024)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:
            response = case.call(base_url=url, timeout=30)
            checks = CHECKS if case.operation.path not in PAIRS else [not_a_server_error]
            case.validate_response(response, checks=checks)

        one()
    return len(operations)


def test_the_api_of_analytics(analytics: Analytics, home: Any) -> None:  # noqa: F811
    add(home, [game(), game(won=True)])
    analytics.caught_up(2)
    with http(analytics.client.app) as port:  # type: ignore[arg-type]
        assert attack(port) >= 8


def test_the_api_of_mcp(tmp_path: Path) -> None:
    log = Switched(tmp_path / "log.sqlite")
    door = Door(log)
    try:
        assert attack(door.port) >= 5
    finally:
        door.close()
        log.close()
    assert isinstance(log, SQLiteEventLog)


def test_the_api_of_the_gateway(bench: Make) -> None:  # noqa: F811
    with gateway(bench) as port:
        assert attack(port) >= 8


def test_the_api_of_the_trainer() -> None:
    app = http_app("JimBot trainer", lambda: Health(status="ok"), registry=CollectorRegistry())
    with http(app) as port:
        assert attack(port) == 2


@contextmanager
def gateway(bench: Make) -> Iterator[int]:  # noqa: F811
    ready, ended = threading.Event(), threading.Event()
    ports: list[int] = []

    async def main() -> None:
        async with (
            bench() as b,
            serving(claude_app(b.gateway, Analyst(b.gateway, b.ledger)), 0) as port,
        ):
            ports.append(port)
            ready.set()
            while not ended.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(30)
        yield ports[0]
    finally:
        ended.set()
        thread.join(30)
