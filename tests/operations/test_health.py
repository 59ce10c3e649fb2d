from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from jimbot import usage
from jimbot.appliance import Appliance, Home, TableError
from jimbot.operations import health, state

Fakes = Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]]


@contextmanager
def _running(command: Callable[[str], list[str]], *names: str) -> Iterator[None]:
    running = [subprocess.Popen(command(name), stdout=subprocess.PIPE) for name in names]
    try:
        for each in running:
            assert each.stdout is not None
            each.stdout.readline()
        time.sleep(0.1)
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()
            each.stdout.close()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("how", "status", "reason", "exit_code"),
    [
        ("well", "ok", "", 0),
        ("sick", "fail", "sick", 1),
        ("hangs", "fail", "no answer on port", 1),
        ("stranger", "unknown", "not as a service of JimBot", 2),
    ],
)
def test_each_way_to_answer(
    fakes: Fakes, how: str, status: str, reason: str, exit_code: int
) -> None:
    appliance, command = fakes({"one": {"how": how}})
    with _running(command, "one"):
        report = asyncio.run(health.report(appliance, ["one"]))
    assert report.services["one"].status == status
    assert reason in report.services["one"].reason
    assert report.exit_code == exit_code


@pytest.mark.parametrize(("status", "expected"), [(204, "ok"), (200, "ok"), (503, "fail")])
def test_a_server_of_others_answers_by_its_status(
    appliance: Appliance, status: int, expected: str
) -> None:
    answer = httpx.MockTransport(lambda request: httpx.Response(status))

    async def ask() -> health.ServiceHealth:
        async with httpx.AsyncClient(transport=answer) as client:
            return await health.check(appliance, "questdb", client)

    assert asyncio.run(ask()).status == expected


def test_a_service_that_is_not_there_is_unhealthy_and_says_what_to_do(fakes: Fakes) -> None:
    appliance, _ = fakes({"one": {}})
    report = asyncio.run(health.report(appliance, ["one"]))
    assert report.services["one"].status == "fail"
    assert "jimbot up" in report.services["one"].hint
    assert report.exit_code == 1


def test_a_sick_service_outweighs_one_that_could_not_be_asked(fakes: Fakes) -> None:
    appliance, command = fakes({"one": {"how": "stranger"}, "two": {"how": "sick"}})
    with _running(command, "one", "two"):
        assert asyncio.run(health.report(appliance, ["one", "two"])).exit_code == 1


def test_nothing_asked_is_not_healthy(fakes: Fakes) -> None:
    appliance, _ = fakes({"one": {}})
    assert asyncio.run(health.report(appliance, [])).exit_code == 2


def test_an_unknown_service_is_an_error(fakes: Fakes) -> None:
    appliance, _ = fakes({"one": {}})
    with pytest.raises(TableError, match="unknown service 'two'"):
        asyncio.run(health.report(appliance, ["two"]))


def test_waiting_ends_as_soon_as_all_is_well(fakes: Fakes) -> None:
    appliance, command = fakes({"one": {}})

    async def main() -> int:
        asked = asyncio.create_task(health.wait(appliance, lambda: ["one"], 20))
        await asyncio.sleep(0.7)
        assert not asked.done()
        late = subprocess.Popen(command("one"), stdout=subprocess.DEVNULL)
        try:
            return (await asked).exit_code
        finally:
            late.kill()
            late.wait()

    assert asyncio.run(main()) == 0


def test_waiting_gives_up_at_its_timeout(fakes: Fakes) -> None:
    appliance, _ = fakes({"one": {}})
    began = time.monotonic()
    assert asyncio.run(health.wait(appliance, lambda: ["one"], 0.6)).exit_code == 1
    assert 0.5 < time.monotonic() - began < 3


def test_what_is_expected_is_what_the_running_up_has_started(fakes: Fakes, home: Home) -> None:
    appliance, _ = fakes({"one": {}, "two": {}})
    assert health.expected(appliance, home) == ["one", "two"]
    me = psutil.Process()
    running = state.Running(
        pid=me.pid, started=me.create_time(), profile="ci", services={"two": None}
    )
    state.write(home, running)
    assert health.expected(appliance, home) == ["two"]
    state.write(home, running.model_copy(update={"started": 1.0}))  # a reused pid
    assert health.expected(appliance, home) == ["one", "two"]


def test_what_the_system_runs_is_expected_unless_an_up_runs(
    fakes: Fakes, home: Home, by_system: Callable[..., None]
) -> None:
    appliance, _ = fakes({"one": {}, "two": {}, "three": {}})
    by_system("one", "three")
    assert health.expected(appliance, home) == ["one", "three"]
    # It runs those of its own home, and of no other.
    elsewhere = Home(home.path.with_name("elsewhere"))
    assert usage.expected(elsewhere) is None
    assert health.expected(appliance, elsewhere) == ["one", "two", "three"]
    me = psutil.Process()
    up = state.Running(pid=me.pid, started=me.create_time(), profile="ci", services={"two": None})
    state.write(home, up)
    assert health.expected(appliance, home) == ["two"]


@pytest.mark.parametrize("text", ["", " ", ","])
def test_an_empty_list_of_the_system_says_nothing(
    home: Home, by_system: Callable[..., None], text: str
) -> None:
    by_system(text)
    assert usage.expected(home) is None


def test_a_service_of_the_system_that_the_table_lacks_is_an_error(
    fakes: Fakes, home: Home, by_system: Callable[..., None]
) -> None:
    appliance, _ = fakes({"one": {}})
    by_system("one", "tow")
    with pytest.raises(TableError, match="unknown service 'tow'"):
        asyncio.run(health.report(appliance, health.expected(appliance, home)))


def test_what_the_system_runs_is_not_to_be_started_by_an_up(
    fakes: Fakes, by_system: Callable[..., None]
) -> None:
    appliance, _ = fakes({"one": {}})
    by_system("one")
    found = asyncio.run(health.report(appliance, ["one"])).services["one"]
    assert found.status == "fail"
    assert "systemctl" in found.hint
    assert "jimbot up" not in found.hint
