"""Asking the table's services: what is not checked never looks healthy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import psutil
import pytest

from jimbot.analytics.models import Services, ServiceState
from jimbot.analytics.services import ServiceChecks
from jimbot.appliance import Appliance, Home
from jimbot.service import Health, http_app, serving

ME = ("analytics", lambda: Health(status="ok"))


def look(
    appliance: Appliance, home: Home, meanwhile: Callable[[ServiceChecks], Awaitable[Services]]
) -> dict[str, ServiceState]:
    async def ask() -> Services:
        checks = ServiceChecks(appliance, home, ME)
        try:
            return await meanwhile(checks)
        finally:
            await checks.close()

    return {it.name: it for it in asyncio.run(ask()).services}


Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(answer: bytes) -> Answers:
    """A server that answers every request alike."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return answered


def test_states(appliance: Appliance, home: Home) -> None:
    warned = http_app("mcp", lambda: Health(status="warn", reason="disk", hint="Free some"))
    failed = http_app("claude", lambda: Health(status="fail", reason="no key"))
    ports = {name: appliance.service(name).ports for name in ("mcp", "claude", "ray-head")}

    stranger = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    async def ask(checks: ServiceChecks) -> Services:
        trainer = await asyncio.start_server(
            stranger, "127.0.0.1", appliance.service("trainer").ports["http"]
        )
        ray = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", ports["ray-head"]["gcs"]
        )
        async with (
            trainer,
            ray,
            serving(warned, ports["mcp"]["http"]),
            serving(failed, ports["claude"]["http"]),
        ):
            return await checks.now()

    states = look(appliance, home, ask)
    assert {name: it.status for name, it in states.items()} == {
        "mcp": "warn",
        "analytics": "ok",
        "claude": "fail",
        "ray-head": "ok",
        "trainer": "unknown",
        "ray-worker": "unchecked",
        "memgraph": "unchecked",
        "questdb": "unchecked",
        "eventstore": "unchecked",
    }
    assert (states["mcp"].reason, states["mcp"].hint) == ("disk", "Free some")
    assert not states["memgraph"].expected
    assert states["memgraph"].reason == "not used with embedded stores"


def test_how_far_mcp_says_that_the_log_goes(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.analytics.services.CACHE_S", 0.0)
    said: list[int] = []
    well = http_app("mcp", lambda: Health(status="ok", details={"log_position": 41}))

    async def ask(checks: ServiceChecks) -> Services:
        said.append(checks.log_position())
        async with serving(well, appliance.service("mcp").ports["http"]):
            await checks.now()
            said.append(checks.log_position())
        found = await checks.now()
        said.append(checks.log_position())
        return found

    look(appliance, home, ask)
    assert said == [0, 41, 0]


def test_one_that_hangs_does_not_hold_up_the_answer(appliance: Appliance, home: Home) -> None:
    async def ask(checks: ServiceChecks) -> Services:
        hanging = await asyncio.start_server(
            lambda reader, writer: asyncio.sleep(30),
            "127.0.0.1",
            appliance.service("mcp").ports["http"],
        )
        async with asyncio.timeout(3):
            answer = await checks.now()
        hanging.close()
        return answer

    state = look(appliance, home, ask)["mcp"]
    assert state.status == "fail"
    assert "no answer" in state.reason


def test_the_worst_expected_state_is_the_whole_s(appliance: Appliance, home: Home) -> None:
    async def ask(checks: ServiceChecks) -> Services:
        answer = await checks.now()
        assert answer.status == "fail"
        return answer

    assert look(appliance, home, ask)["mcp"].reason.startswith("nothing listens on port")


def test_answers_are_kept_for_two_seconds(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(checks: ServiceChecks) -> Services:
        assert checks.last() is None
        first, same = await asyncio.gather(checks.now(), checks.now())
        assert first is same is checks.last()
        monkeypatch.setattr("jimbot.analytics.services.time.monotonic", lambda: 1e12)
        assert await checks.now() is not first
        return first

    look(appliance, home, ask)


@pytest.mark.parametrize("alive", [True, False])
def test_only_the_services_of_the_run_are_expected(
    appliance: Appliance, home: Home, alive: bool
) -> None:
    me = psutil.Process()
    started = me.create_time() if alive else 1.0
    running = {"pid": me.pid, "started": started, "profile": "ci"}
    services = {"services": {"mcp": None, "analytics": None}}
    (home.run / "up.json").write_text(json.dumps(running | services))
    states = look(appliance, home, lambda checks: checks.now())
    assert states["mcp"].expected
    assert states["trainer"].expected is not alive
    if alive:
        assert states["trainer"].status == "unchecked"
        assert states["trainer"].reason == "not part of this run"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "started": 1, "services": []}'])
def test_a_damaged_state_of_the_run_is_passed_over(
    appliance: Appliance, home: Home, text: str
) -> None:
    (home.run / "up.json").write_text(text)
    assert look(appliance, home, lambda checks: checks.now())["trainer"].expected


def test_only_the_services_that_the_system_runs_are_expected(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NixOS without training, in containers, with QuestDB: all of these, and nothing else."""
    monkeypatch.setenv("JIMBOT_HOME", str(home.path))
    monkeypatch.setenv("JIMBOT_SERVICES", "mcp,analytics,ray-worker,questdb")

    questdb = saying(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def ask(checks: ServiceChecks) -> Services:
        server = await asyncio.start_server(
            questdb, "127.0.0.1", appliance.service("questdb").ports["http"]
        )
        async with server:
            return await checks.now()

    states = look(appliance, home, ask)
    expected = {name for name, it in states.items() if it.expected}
    assert expected == {"mcp", "analytics", "ray-worker", "questdb"}
    assert states["trainer"].status == "unchecked"
    assert states["ray-worker"].status == "fail"
    assert states["questdb"].status == "ok"  # a server of others answers by its status
    assert "systemctl" in states["mcp"].hint
