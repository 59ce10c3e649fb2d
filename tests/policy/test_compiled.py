"""The compiled rows are used only with the game of the same build, and never when stale."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jimbot.game import _compiled as game
from jimbot.policy import _compiled

PRINT_FORM = "import jimbot.game as g, jimbot.policy as p; print(g.COMPILED, p.COMPILED)"
BUILD = "0123456789abcdef"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of both packages with manifests of one build, the game's fresh."""
    for sources in (game.SOURCES, _compiled.SOURCES):
        folder = tmp_path / "jimbot" / sources.name
        shutil.copytree(sources, folder, ignore=shutil.ignore_patterns("_native*", "__pycache__"))
        (folder / "_native").mkdir()
    for name in ("__init__.py", "errors.py"):
        shutil.copy(game.SOURCES.parent / name, tmp_path / "jimbot" / name)
    fields = {"platform": game.platform_tag(), "sources": game.source_digests(), "build": BUILD}
    (tmp_path / "jimbot" / "game" / "_native" / "manifest.json").write_text(json.dumps(fields))
    return tmp_path


def run(folder: Path, wish: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRINT_FORM],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "JIMBOT_GAME": wish},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write_manifest(folder: Path, **fields: object) -> None:
    manifest = {"sources": _compiled.source_digests(), "build": BUILD, **fields}
    path = folder / "jimbot" / "policy" / "_native" / "manifest.json"
    path.write_text(json.dumps(manifest))


def test_a_fresh_form_of_the_same_build_is_used(copy: Path) -> None:
    write_manifest(copy)
    done = run(copy)
    assert (done.stdout.strip(), done.stderr) == ("True True", "")


def test_without_a_compiled_form_it_runs_plain_and_quietly(copy: Path) -> None:
    done = run(copy)
    assert (done.stdout.strip(), done.stderr) == ("True False", "")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"sources": {}}, "sources have changed"), ({"build": "another"}, "together with the game")],
)
def test_a_stale_form_is_refused_with_a_warning(
    copy: Path, fields: dict[str, object], reason: str
) -> None:
    write_manifest(copy, **fields)
    done = run(copy)
    assert done.stdout.strip() == "True False"
    assert reason in done.stderr
    assert "make compile" in done.stderr
    demanded = run(copy, "compiled")
    assert demanded.returncode != 0
    assert reason in demanded.stderr


def test_beside_a_plain_game_it_is_plain(copy: Path) -> None:
    write_manifest(copy)
    assert run(copy, "plain").stdout.strip() == "False False"


def test_a_damaged_manifest_is_no_manifest(copy: Path) -> None:
    (copy / "jimbot" / "policy" / "_native" / "manifest.json").write_text("{")
    done = run(copy)
    assert done.stdout.strip() == "True False"
    assert "cannot be read" in done.stderr
