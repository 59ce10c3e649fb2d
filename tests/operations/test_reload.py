"""Which services a change of the code concerns, and that they are started again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Home
from jimbot.operations import reload
from jimbot.operations.supervisor import Supervisor

Fakes = Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package `app` of two services with a module in common."""
    files = {
        "__init__.py": "",
        "shared.py": "x = 1",
        "one/__init__.py": "",
        "one/service.py": "from app.shared import x",
        "two/__init__.py": "",
        "two/service.py": "def late():\n    import app.two.deep",
        "two/deep.py": "",
        "unused.py": "",
    }
    top = tmp_path / "app"
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def _touch(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 2))


def test_a_change_concerns_those_who_import_it(package: Path) -> None:
    programs = {"one": "app.one.service", "two": "app.two.service"}
    sources = reload.Sources(package)
    assert sources.changed() == set()
    for name, wanted in (
        ("shared.py", ["one"]),
        ("two/deep.py", ["two"]),
        ("unused.py", []),
        ("__init__.py", ["one", "two"]),
    ):
        _touch(package / name, "y = 2")
        changed = sources.changed()
        assert len(changed) == 1
        assert reload.concerned(programs, changed, sources) == wanted
    _touch(package / "two/service.py", "from app import shared")  # it imports another thing now
    sources.changed()
    _touch(package / "shared.py", "this is no Python")
    assert reload.concerned(programs, sources.changed(), sources) == ["one", "two"]
    (package / "shared.py").unlink()
    assert reload.concerned(programs, sources.changed(), sources) == ["one", "two"]


def test_it_is_started_again(
    fakes: Fakes, home: Home, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    appliance, command = fakes({"one": {}, "two": {}})
    monkeypatch.setattr(reload, "_LOOK_S", 0.1)
    real = reload.Sources
    monkeypatch.setattr(reload, "Sources", lambda: real(package))

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["one", "two"], command=command)
        supervisor.start()
        await asyncio.wait_for(supervisor.wait_healthy(), 15)
        programs = {"one": "app.one.service", "two": "app.two.service", "absent": "app.unused"}
        watching = asyncio.create_task(reload.watch(supervisor, programs))
        await asyncio.sleep(0.3)
        _touch(package / "shared.py", "x = 2")
        one, two = supervisor.services["one"], supervisor.services["two"]
        async with asyncio.timeout(15):
            while one.spawns < 2 or one.health.status != "ok":
                await asyncio.sleep(0.05)
        assert (two.spawns, one.restarts) == (1, 0)
        watching.cancel()
        await supervisor.stop(3)

    asyncio.run(main())
