"""Every locked package through the real poetry2nix, where `POETRY2NIX_TREE` points at one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections import defaultdict
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

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


PROJECT = tomllib.loads((lab.ROOT / "pyproject.toml").read_text())["tool"]["poetry"]
# What nixpkgs' pythonManylinuxPackages bring to a wheel, and what lies beside it.
MANYLINUX = {
    *("libc.so.6", "libdl.so.2", "libm.so.6", "libnsl.so.1", "libpthread.so.0", "libresolv.so.2"),
    *("librt.so.1", "libutil.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6", "libatomic.so.1", "libz.so.1", "libexpat.so.1"),
    *("libX11.so.6", "libXext.so.6", "libXrender.so.1", "libICE.so.6", "libSM.so.6"),
    *("libGL.so.1", "libglib-2.0.so.0", "libgobject-2.0.so.0", "libgthread-2.0.so.0"),
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, Distribution]:
    """The locked packages that are installed here, by name."""
    locked = {normal(package["name"]) for package in LOCK["package"]}
    here = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    found = {normal(each.name): each for each in distributions(path=here)}
    return {name: each for name, each in found.items() if name in locked}


def test_no_two_packages_bring_the_same_file() -> None:
    # An environment of nixpkgs' is not built of such.
    owners = defaultdict(set)
    for name, each in installed().items():
        for file in each.files or []:
            if file.suffix != ".pyc" and not name.startswith("nvidia-"):  # nix/overrides.nix
                owners[str(file)].add(name)
    assert len(owners) > 1000
    assert {file: who for file, who in owners.items() if len(who) > 1} == {}


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not installed")
def test_what_wheels_need_of_the_system_is_there_or_overrides_bring_it() -> None:
    overridden = set(
        re.findall(r"^  ([a-z0-9-]+) = prev", (lab.ROOT / "nix/overrides.nix").read_text(), re.M)
    )
    looked_at, lacking = 0, {}
    for name, each in installed().items():
        files = [(file.name, str(each.locate_file(file))) for file in each.files or []]
        libraries = [
            path
            for name_of, path in files
            if re.search(r"\.so(\.|$)", name_of) or os.access(path, os.X_OK)
        ]
        if not libraries or name in ("torch", "triton") or name.startswith("nvidia-"):
            continue  # nix/overrides.nix lets those find each other when they run
        said = subprocess.run(
            ["readelf", "--dynamic", "--wide", *libraries], capture_output=True, text=True
        ).stdout
        looked_at += said.count("Dynamic section")
        own = {library.rsplit("/", 1)[-1] for library in libraries}
        if wanted := set(re.findall(r"\(NEEDED\).*\[(.*)\]", said)) - own - MANYLINUX:
            lacking[name] = wanted
    assert looked_at > 100
    assert {name: wanted for name, wanted in lacking.items() if name not in overridden} == {}
    assert lacking["ladybug"] == {"libcrypto.so.3", "libssl.so.3"}  # or its override is of no use


@pytest.fixture(scope="module")
def facts(lab: Lab) -> dict[str, Any]:
    """What the real poetry2nix makes of nix/: facts of standin/packaging.nix."""
    tree = os.environ.get("POETRY2NIX_TREE")
    if not tree:
        pytest.skip("POETRY2NIX_TREE is not set")
    found: dict[str, Any] = json.loads(
        _run(
            *("nix", "eval", "--impure", "--json"),
            *("-f", str(lab.tree / "tests/nix/standin/packaging.nix")),
            *("--argstr", "nixpkgs", str(lab.nixpkgs), "--argstr", "poetry2nix", tree),
            "facts",
        )
    )
    return found


@pytest.mark.timeout(600)
def test_the_real_poetry2nix_puts_everything_together(facts: dict[str, Any]) -> None:
    assert facts["edge"].endswith("-jimbot-edge-0.1.0.drv")
    assert facts["jimbot"].endswith("-jimbot-0.1.0.drv")
    assert facts["broken"] == []
    assert facts["versions"]["torch"].startswith("2.13.")
    toolkit = next(row for row in LOCK["package"] if row["name"] == "cuda-toolkit")
    for name in ("nvidia-cublas", "nvidia-cusparse", "nvidia-cuda-nvrtc"):
        wanted = toolkit["dependencies"][name]["version"]
        assert facts["versions"][name] == wanted.removeprefix("==").removesuffix(".*")


@pytest.mark.timeout(600)
def test_tests_and_lints_run_where_all_that_they_import_is(facts: dict[str, Any]) -> None:
    extras = {name for names in PROJECT["extras"].values() for name in names}
    wanted = {*PROJECT["dependencies"], *PROJECT["group"]["dev"]["dependencies"], *extras}
    assert {normal(name) for name in wanted} - {"python"} <= set(facts["development"])
    for name, command in (("unit-tests", "python -m pytest"), ("lint", "mypy")):
        assert facts["environment"] in facts["checks"][name]["tools"]
        assert re.search(rf"^{command}", facts["checks"][name]["command"], re.M)


@pytest.mark.timeout(600)
def test_the_shell_says_where_the_same_packages_are(facts: dict[str, Any]) -> None:
    assert facts["shell"] == facts["environment"]


def test_make_installs_nothing_where_the_shell_has_all(tmp_path: Path) -> None:
    told = subprocess.run(
        ["make", "--dry-run", f"VENV={tmp_path}/none", "up", "test", "lint"],
        cwd=lab.ROOT,
        env={**os.environ, "JIMBOT_ENV": "/env"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for command in ("python -m jimbot up", "python -m pytest", "ruff check", "mypy"):
        assert f"/env/bin/{command}" in told
    assert "pip" not in told


@pytest.mark.timeout(600)
def test_what_runs_has_what_its_extras_want_and_no_tools(facts: dict[str, Any]) -> None:
    whole, edge = set(facts["closure"]["jimbot"]), set(facts["closure"]["jimbot-edge"])
    assert {"anthropic", "ladybug", "nvidia-cublas", "ray", "torch"} <= whole
    assert whole.isdisjoint({"mypy", "pip", "pytest", "ruff"})
    assert {"numpy", "pydantic", "websockets"} <= edge
    assert edge.isdisjoint({"gymnasium", "ray", "torch", "triton", "pip"})
    assert not [name for name in edge if name.startswith("nvidia-")]


@pytest.mark.timeout(600)
def test_nothing_that_runs_brings_a_shell(facts: dict[str, Any]) -> None:
    # nixpkgs' own packages are left as they are: these have no programs that it would wrap.
    assert set(facts["wrapped"]) == {"packaging", "setuptools"}
    for name in facts["wrapped"]:
        assert not [e for e in installed()[name].entry_points if e.group == "console_scripts"]
    # The scripts beside libraries' headers, say.
    assert set(facts["foreign"]) <= {"python3"}


@pytest.mark.timeout(600)
def test_the_game_is_compiled_by_an_interpreter_that_has_its_compiler(
    facts: dict[str, Any],
) -> None:
    # The compiler is run with a PYTHONPATH of its own: what stood in it before is gone.
    (line,) = [each for each in facts["compiles"].splitlines() if "jimbot.game._build" in each]
    assert "-python-environment/bin/python3.11 -m jimbot.game._build" in line
    assert "--if-possible" not in line


@pytest.mark.timeout(600)
def test_wheels_get_the_libraries_that_they_lack(facts: dict[str, Any]) -> None:
    assert facts["openssl"]


def _run(*command: str) -> str:
    return lab.run(*command)
