"""The compiled form is used only while it is fresh, and never silently otherwise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jimbot.game import _build, _compiled

PRINT_FORM = "import jimbot.game as game; print(game.COMPILED)"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package without a compiled form, but with a place for one."""
    game = tmp_path / "jimbot" / "game"
    shutil.copytree(
        _compiled.SOURCES, game, ignore=shutil.ignore_patterns("_native*", "__pycache__")
    )
    for name in ("__init__.py", "errors.py"):
        shutil.copy(_compiled.SOURCES.parent / name, tmp_path / "jimbot" / name)
    (game / "_native").mkdir()
    return tmp_path


def run(folder: Path, code: str, wish: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "JIMBOT_GAME": wish}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write_manifest(folder: Path, **fields: object) -> None:
    manifest = {
        "platform": _compiled.platform_tag(),
        "sources": _compiled.source_digests(),
        **fields,
    }
    path = folder / "jimbot" / "game" / "_native" / "manifest.json"
    path.write_text(json.dumps(manifest))


def test_without_a_compiled_form_plain_python_runs_quietly(copy):
    done = run(copy, PRINT_FORM)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_a_fresh_form_is_found_first(copy):
    write_manifest(copy)
    # Stands for a compiled module: the finder sees it before the source.
    marker = "SEED_CHARACTERS = 'here'\nMARK = True\n"
    source = (copy / "jimbot" / "game" / "rng.py").read_text()
    (copy / "jimbot" / "game" / "_native" / "rng.py").write_text(source + marker)
    done = run(copy, "import jimbot.game as g, jimbot.game.rng as r; print(g.COMPILED, r.MARK)")
    assert done.stdout.strip() == "True True", done.stderr


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sources": {}}, "sources have changed"),
        ({"platform": "cpython-27-vax"}, "another Python"),
    ],
)
def test_a_stale_form_is_refused_with_a_warning(copy, fields, reason):
    write_manifest(copy, **fields)
    done = run(copy, PRINT_FORM)
    assert done.stdout.strip() == "False"
    assert reason in done.stderr
    assert "make compile" in done.stderr
    demanded = run(copy, PRINT_FORM, "compiled")
    assert demanded.returncode != 0
    assert reason in demanded.stderr
    assert run(copy, PRINT_FORM, "plain").stderr == ""


def test_one_changed_source_makes_it_stale(copy):
    write_manifest(copy)
    source = copy / "jimbot" / "game" / "catalogue.py"
    source.write_text(source.read_text() + "\n")
    assert "sources have changed" in run(copy, PRINT_FORM).stderr


def test_a_damaged_manifest_is_no_manifest(copy):
    (copy / "jimbot" / "game" / "_native" / "manifest.json").write_text("{")
    done = run(copy, PRINT_FORM)
    assert done.stdout.strip() == "False"
    assert "cannot be read" in done.stderr


def test_every_module_is_compiled_or_known_not_to_be():
    modules = {path.stem for path in _compiled.SOURCES.glob("*.py")}
    plain = {"__init__", "_build", "_compiled"}
    assert modules == {*_compiled.MODULES, *_compiled.BAKED_IN, *plain}


def test_a_machine_without_a_compiler_keeps_the_plain_form(monkeypatch, capsys):
    monkeypatch.setenv("CC", "/no/such/compiler")
    monkeypatch.setattr(_build, "why_plain", lambda: "not compiled")
    assert _build.main(["--if-possible"]) == 0
    assert "plain Python" in capsys.readouterr().err
    assert _build.main([]) == 2
