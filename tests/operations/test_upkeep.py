"""What comes round while the appliance runs, and when."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.operations import upkeep
from jimbot.operations.backup import record
from jimbot.operations.upkeep import Upkeep

DAY = 86_400.0


def names(found: list[tuple[str, list[str]]]) -> list[str]:
    return [name for name, _ in found]


def test_without_backups_set_up_only_old_data_goes(appliance: Appliance, home: Home) -> None:
    assert Upkeep(appliance, home).due(time.time()) == [("retain", ["db", "retain"])]


@pytest.fixture
def set_up(home: Home) -> None:
    password = home.path / "secrets" / "backup"
    password.parent.mkdir(mode=0o700)
    password.write_text("x")
    password.chmod(0o600)


@pytest.mark.usefixtures("set_up")
def test_each_comes_when_its_time_has(appliance: Appliance, home: Home) -> None:
    chores = Upkeep(appliance, home)
    now = time.time()
    assert chores.due(now) == [
        ("backup", ["backup", "run", "--kind", "weekly"]),
        ("retain", ["db", "retain"]),
        ("drill", ["drill"]),
    ]
    record.update(home, last={"weekly": datetime.now(UTC)})
    for name in ("retain", "drill"):
        chores._done(name, now)
    assert chores.due(now) == []
    hours = appliance.maintenance
    assert names(chores.due(now + hours.retain_hours * 3600)) == ["retain"]
    assert names(chores.due(now + hours.drill_hours * 3600)) == ["retain", "drill"]
    assert names(chores.due(now - 30 * DAY)) == ["retain", "drill"], "a clock that was set back"


def test_a_damaged_memory_is_begun_anew(appliance: Appliance, home: Home) -> None:
    (home.path / "upkeep.json").write_text('["no"]')
    assert names(Upkeep(appliance, home).due(time.time())) == ["retain"]


def test_it_runs_what_is_due_once_and_waits_after_a_failure(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FIRST_S", 0)
    monkeypatch.setattr(upkeep, "LOOK_S", 0.01)
    done: list[list[str]] = []
    chores = Upkeep(appliance, home)
    codes = iter([1, 0])
    now = [1e9]

    async def do(command: list[str]) -> int:
        done.append(command)
        return next(codes)

    monkeypatch.setattr(chores, "_do", do)

    async def main() -> None:
        task = asyncio.create_task(chores.keep(clock=lambda: now[0]))
        while len(done) < 1:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(done) == 1, "not again at once after it failed"
        now[0] += upkeep.AGAIN_S
        while len(done) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(done) == 2
        task.cancel()

    asyncio.run(main())
    assert json.loads((home.path / "upkeep.json").read_text()) == {"retain": now[0]}


def test_the_real_command_runs_in_a_process_that_is_known(appliance: Appliance, home: Home) -> None:
    chores = Upkeep(appliance, home)

    async def main() -> None:
        running = asyncio.create_task(chores._do(["config", "check"]))
        while not chores.running and not running.done():
            await asyncio.sleep(0.005)
        assert len(chores.running) == 1
        assert await running == 0
        assert chores.running == set()
        assert await chores._do(["no-such-command"]) == 2

    asyncio.run(main())
    assert "No such command" in (home.logs / "upkeep.out").read_text()
