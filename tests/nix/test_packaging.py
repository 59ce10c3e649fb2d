"""Every locked package through the real poetry2nix, where `POETRY2NIX_TREE` points at one."""

from __future__ import annotations

import json
import os
import re
import tomllib

import pytest

from tests.nix import lab
from tests.nix.lab import Lab

LOCK = tomllib.loads((lab.ROOT / "poetry.lock").read_text())
# What nix/python.nix keeps of the lock, and how poetry2nix reads a wheel's name.
INTERPRETERS = ("-cp311-cp311-", "-abi3-", "-none-")
PROCESSORS = ("x86_64.whl", "aarch64.whl", "-any.whl")
NAME = re.compile(r"([^-]+)-([^-]+)(-([0-9][^-]*))?-([^-]+)-([^-]+)-(.+)\.whl")
ABI = re.compile(r"([a-z]+)([0-9]*)_?([a-z0-9]*)")


def kept(file: str) -> bool:
    return not file.endswith(".whl") or (
        any(tag in file for tag in INTERPRETERS) and file.endswith(PROCESSORS)
    )


def test_what_is_kept_of_the_lock_is_what_nix_keeps() -> None:
    text = (lab.ROOT / "nix/python.nix").read_text()
    for tag in (*INTERPRETERS, *PROCESSORS):
        assert f'"{tag}' in text


def test_every_package_has_a_file_left_whose_name_poetry2nix_can_read() -> None:
    for package in LOCK["package"]:
        files = [each["file"] for each in package["files"] if kept(each["file"])]
        assert files, package["name"]
        for file in files:
            if file.endswith(".whl"):
                name = NAME.fullmatch(file)
                assert name, file
                assert ABI.fullmatch(name[6]), file


def test_no_package_needs_itself() -> None:
    needs = {
        package["name"]: {
            name
            for name, how in package.get("dependencies", {}).items()
            if (package["name"], name) != ("grpcio", "grpcio-tools")  # left out by nix/python.nix
        }
        for package in LOCK["package"]
    }
    done: set[str] = set()
    while ready := {name for name, wanted in needs.items() if not (wanted & needs.keys()) - done}:
        if ready <= done:
            break
        done |= ready
    assert needs.keys() - done == set()


@pytest.mark.timeout(600)
def test_the_real_poetry2nix_puts_everything_together(lab: Lab) -> None:
    tree = os.environ.get("POETRY2NIX_TREE")
    if not tree:
        pytest.skip("POETRY2NIX_TREE is not set")
    found = json.loads(
        _run(
            *("nix", "eval", "--impure", "--json"),
            *("-f", str(lab.tree / "tests/nix/standin/packaging.nix")),
            *("--argstr", "nixpkgs", str(lab.nixpkgs), "--argstr", "poetry2nix", tree),
            "facts",
        )
    )
    assert found["edge"].endswith("-jimbot-edge-0.1.0.drv")
    assert found["jimbot"].endswith("-jimbot-0.1.0.drv")
    assert found["versions"]["torch"].startswith("2.13.")
    toolkit = next(row for row in LOCK["package"] if row["name"] == "cuda-toolkit")
    for name in ("nvidia-cublas", "nvidia-cusparse", "nvidia-cuda-nvrtc"):
        wanted = toolkit["dependencies"][name]["version"]
        assert found["versions"][name] == wanted.removeprefix("==").removesuffix(".*")


def _run(*command: str) -> str:
    return lab.run(*command)
