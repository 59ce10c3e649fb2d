"""The scripts of the NixOS VM tests, checked as nixpkgs' test driver checks them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nix.lab import Lab


@pytest.fixture(scope="module")
def scripts(lab: Lab) -> dict[str, str]:
    found: dict[str, str] = lab.evaluate("scripts")
    return found


@pytest.mark.timeout(600)
def test_the_scripts_pass_the_type_check_of_the_driver(
    lab: Lab, scripts: dict[str, str], tmp_path: Path
) -> None:
    library = lab.nixpkgs / "nixos/lib"
    types = (library / "test-script-prepend.py").read_text()
    for name, script in scripts.items():
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(
            f"{types}\nmachine: Machine\n{script}"
        )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-implicit-optional", "--config-file", os.devnull, "."],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(library / "test-driver")},
        capture_output=True,
        text=True,
    )
    assert len(scripts) >= 9
    said = [line for line in done.stdout.splitlines() if line.startswith("vm_")]
    assert said == []
    assert "checked" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_scripts_pass_the_lint_of_the_driver(scripts: dict[str, str], tmp_path: Path) -> None:
    for name, script in scripts.items():
        (tmp_path / f"{name}.py").write_text(script)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F"),
            *("--config", 'builtins=["machine"]', "--output-format", "concise", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
