"""Where the flake is tried: a copy of the repository beside stand-ins for its inputs.

`NIXPKGS_TREE` is a folder with nixpkgs' `lib` and `nixos` and a `fake` package set. What stands in
for poetry2nix packs this machine's Python, so what is built runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STANDIN = Path(__file__).parent / "standin"
CONFIG = "\n".join(
    (
        "experimental-features = nix-command flakes",
        "sandbox = false",
        "build-users-group =",
        "substituters =",
        "flake-registry =",
        "warn-dirty = false",
    )
)


class NixError(Exception):
    """Nix said no; the text is what it said."""


def nix_is_missing() -> str:
    """Why nothing of Nix can be tried here; empty where it can."""
    return "" if shutil.which("nix") else "nix is not installed (apt-get install nix-bin)"


def tree_is_missing() -> str:
    """Why the flake cannot be evaluated here; empty where it can."""
    if why := nix_is_missing():
        return why
    tree = os.environ.get("NIXPKGS_TREE", "")
    if not tree:
        return "NIXPKGS_TREE is not set"
    lacking = [part for part in ("lib", "nixos", "fake") if not (Path(tree) / part).is_dir()]
    return f"NIXPKGS_TREE={tree} has no {', '.join(lacking)}" if lacking else ""


def run(*command: str | Path, timeout: float = 600, cwd: Path = ROOT) -> str:
    """A command's stdout.

    Raises:
        NixError: it failed.
    """
    environment = {**os.environ, "NIX_CONFIG": CONFIG}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise NixError(f"{command[0]} {command[1]} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def nix_files() -> list[Path]:
    """Every .nix file of the repository."""
    folders = (ROOT / "nix", ROOT / "modules", ROOT / "tests" / "nix")
    return [ROOT / "flake.nix", *sorted(path for f in folders for path in f.rglob("*.nix"))]


def sources() -> list[str]:
    """The repository's files, committed or about to be."""
    listed = run("git", "ls-files", "-co", "--exclude-standard", "-z").split("\0")
    return [name for name in listed if name and (ROOT / name).is_file()]


class Lab:
    """A copy of the repository and the stand-ins, under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self.nixpkgs = folder / "nixpkgs"
        self.poetry2nix = folder / "poetry2nix"
        shutil.rmtree(self.tree, ignore_errors=True)
        for name in sources():
            target = self.tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        for copy in (self.nixpkgs, self.poetry2nix):
            shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(os.environ["NIXPKGS_TREE"], self.nixpkgs, symlinks=True)
        shutil.copytree(STANDIN / "nixpkgs", self.nixpkgs, dirs_exist_ok=True)
        shutil.copytree(STANDIN / "poetry2nix", self.poetry2nix)
        # Not resolved: the link in a virtual environment is what makes it one.
        python = Path(sys.executable)
        (self.poetry2nix / "host.nix").write_text(f'{{ python = "{python}"; }}\n')

    @property
    def _arguments(self) -> list[str]:
        return [
            "--impure",
            "-f",
            str(self.tree / "tests/nix/standin/default.nix"),
            *("--argstr", "tree", str(self.tree)),
            *("--argstr", "nixpkgs", str(self.nixpkgs)),
            *("--argstr", "poetry2nix", str(self.poetry2nix)),
        ]

    def evaluate(self, attribute: str) -> Any:
        """An attribute of the flake, or of standin/default.nix, as JSON."""
        return json.loads(run("nix", "eval", "--json", *self._arguments, attribute))

    def build(self, attribute: str) -> Path:
        """Build one; its path."""
        text = run("nix", "build", "--no-link", "--json", *self._arguments, attribute)
        return Path(json.loads(text)[0]["outputs"]["out"])

    def check(self) -> list[str]:
        """The whole `nix flake check`; what it had to skip.

        Raises:
            NixError: a check failed, or something did not evaluate.
        """
        inputs = [
            *("--override-input", "nixpkgs", f"path:{self.nixpkgs}"),
            *("--override-input", "poetry2nix", f"path:{self.poetry2nix}"),
            "--no-write-lock-file",
        ]
        flake = f"path:{self.tree}"
        done = subprocess.run(
            ["nix", "flake", "check", flake, "--keep-going", "-L", *inputs],
            env={**os.environ, "NIX_CONFIG": CONFIG},
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        lines = done.stderr.splitlines()
        if done.returncode or any("error (ignored)" in line for line in lines):
            wanted = [line for line in lines if "building '" not in line and "nixbld" not in line]
            raise NixError("nix flake check failed:\n" + "\n".join(wanted)[-6000:])
        # Of the logs, not of what was just said: a check that had been built before is silent.
        checks = json.loads(
            run(
                *("nix", "eval", "--json", f"{flake}#checks.x86_64-linux", *inputs),
                *("--apply", "builtins.mapAttrs (_: check: check.drvPath)"),
            )
        )
        logs = [run("nix", "log", derivation) for derivation in checks.values()]
        marks = [line for log in logs for line in log.splitlines() if "SKIPPED: " in line]
        return sorted({mark.split("SKIPPED: ", 1)[1] for mark in marks})


def closure(path: Path) -> list[Path]:
    """A store path and all that it needs."""
    return [Path(line) for line in run("nix-store", "--query", "--requisites", path).split()]
