"""Compile the game with mypyc: `python -m jimbot.game._build [--if-possible]`.

What the policies work out at every step (`jimbot.policy._compiled`) is compiled along, so that it
reaches into the game as C does. This script alone knows of both; the game does not.

It needs a C compiler, mypy and setuptools. With `--if-possible` a machine without them is told so
and keeps the plain form, with exit status 0. The compiled modules replace the old ones only when
all of them are built.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

from jimbot.game._compiled import (
    MANIFEST,
    MODULES,
    NATIVE,
    SOURCES,
    platform_tag,
    source_digests,
    why_plain,
)
from jimbot.policy import _compiled as policy

# The C library all compiled modules share, as a module inside this package.
GROUP = "jimbot.game.shared"

# The draws must not be fused into multiply-add: they would differ from the game's.
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

extensions = mypycify({arguments!r}, opt_level="3", debug_level="0", group_name={group!r})
for extension in extensions:
    extension.extra_compile_args = [*(extension.extra_compile_args or []), "-ffp-contract=off"]
setup(
    name="jimbot-game",
    ext_modules=extensions,
    script_args=["-q", "build_ext", "--build-lib", "out", "--build-temp", "temp", "-j", "2"],
)
"""


def what_is_missing() -> str:
    """What this machine lacks for compiling; empty when nothing."""
    for package in ("mypyc", "setuptools"):
        if importlib.util.find_spec(package) is None:
            return f"the Python package {package}"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"a C compiler ({compiler})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's C headers"
    return ""


def build() -> None:
    """Compile into a scratch folder, then put the result in place.

    Raises:
        subprocess.CalledProcessError: the compiler failed; its output is on stderr.
    """
    build = uuid.uuid4().hex
    manifest = {"platform": platform_tag(), "sources": source_digests(), "build": build}
    policy_manifest = {"sources": policy.source_digests(), "build": build}
    with tempfile.TemporaryDirectory(prefix="jimbot-game-") as scratch:
        folder = Path(scratch)
        tree = folder / "jimbot"
        for sources in (SOURCES, policy.SOURCES):
            shutil.copytree(
                sources,
                tree / sources.name,
                ignore=shutil.ignore_patterns("_native*", "__pycache__"),
            )
        for name in ("__init__.py", "errors.py"):
            shutil.copy(SOURCES.parent / name, tree / name)
        arguments = [
            "--strict",
            *(f"jimbot/game/{name}.py" for name in MODULES),
            *(f"jimbot/policy/{name}.py" for name in policy.MODULES),
        ]
        (folder / "setup.py").write_text(_SETUP.format(arguments=arguments, group=GROUP))
        # Interpreted modules import the plain sources of the scratch tree.
        environment = {**os.environ, "JIMBOT_GAME": "plain", "PYTHONPATH": scratch}
        subprocess.run(
            [sys.executable, "setup.py"],
            cwd=folder,
            env=environment,
            check=True,
            stdout=sys.stderr,
        )
        built = folder / "out" / "jimbot"
        _put_in_place(built / "policy", policy.NATIVE, policy_manifest)
        _put_in_place(built / "game", NATIVE, manifest)


def _put_in_place(built: Path, native: Path, manifest: Mapping[str, object]) -> None:
    """Replace a package's compiled modules at once."""
    fresh = native.with_name("_native.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(built, fresh)
    (fresh / MANIFEST.name).write_text(json.dumps(manifest, indent=1))
    (fresh / ".gitignore").write_text("*\n")
    old = native.with_name("_native.old")
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        native.rename(old)
    fresh.rename(native)
    shutil.rmtree(old, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m jimbot.game._build", description=__doc__)
    parser.add_argument("--if-possible", action="store_true", help="no error without a compiler")
    parser.add_argument("--clean", action="store_true", help="remove the compiled form")
    options = parser.parse_args(arguments)
    if options.clean:
        for native in (NATIVE, policy.NATIVE):
            shutil.rmtree(native, ignore_errors=True)
        return 0
    if not why_plain() and not policy.why_plain():
        print("game: the compiled form is up to date", file=sys.stderr)
        return 0
    missing = what_is_missing()
    if missing:
        print(f"game: not compiled, {missing} is missing; it runs as plain Python", file=sys.stderr)
        return 0 if options.if_possible else 2
    print("game: compiling, about a minute", file=sys.stderr)
    try:
        build()
    except subprocess.CalledProcessError as error:
        print(f"game: compiling failed with status {error.returncode}", file=sys.stderr)
        return 0 if options.if_possible else 2
    print("game: compiled", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
