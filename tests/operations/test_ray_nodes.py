"""A Ray cluster of several nodes is started here, loses one, and its games are all played."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.operations.ray_nodes import GAMES, play


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short name: a socket's path holds 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="jbr-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_games_go_on_when_a_worker_is_lost(short: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'jimbot[train]'")
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.operations.ray_nodes", str(short / "home")],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "RAY_TMPDIR": str(short)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            out, err = running.communicate(timeout=270)
        finally:
            family = [each for each in psutil.process_iter() if _belongs(each, short)]
            for each in family:
                each.kill()
            psutil.wait_procs(family, timeout=5)
    assert running.returncode == 0, err[-3000:]
    found = json.loads(out.splitlines()[-1])
    assert (found["before"], found["after"]) == (3, 2)
    assert 4 <= found["done_before_the_loss"] < GAMES
    # Every game was played, and each as it would have been without the loss.
    assert found["games"] == [list(play(number)) for number in range(GAMES)]


def _belongs(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.environ().get("RAY_TMPDIR") == str(directory)
    except (psutil.Error, OSError):
        return False
