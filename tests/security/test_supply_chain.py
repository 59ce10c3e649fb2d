"""What JimBot is made of: locked by digest, listed, and licensed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import audit, lock

ROOT = Path(__file__).parents[2]


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    done = script("sbom.py")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_file_of_every_package_is_locked_by_sha256() -> None:
    packages = lock.packages()
    assert len(packages) > 100
    for package in packages:
        assert package["files"], package["name"]
        for file in package["files"]:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), file
        assert "source" not in package, f"{package['name']} is not from PyPI"


def test_the_list_with_digests_is_complete_and_pins_all() -> None:
    lines = "\n".join(lock.requirements(["all", "dev"], hashes=True)).split("\n")
    heads = [line for line in lines if not line.startswith("    ")]
    assert len(heads) > 150
    assert all(re.fullmatch(r"\S+==\S+ \\", line) for line in heads)
    rest = [line for line in lines if line.startswith("    ")]
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in rest)
    names = {line.partition("==")[0] for line in heads}
    assert {"click", "ray", "torch", "anthropic", "pytest"} <= {lock._normal(n) for n in names}
    assert not {"ray", "torch"} & {p["name"] for p in lock.taken([])}


def test_what_is_installed_here_is_what_is_locked() -> None:
    import importlib.metadata
    import sysconfig

    # Not by `sys.path`: Ray puts packages of its own before ours once it is imported.
    places = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    wrong = []
    for package in lock.taken(["all", "dev"]):
        if package["name"] == "pip":
            continue  # which does the installing, and comes with the environment
        found = list(importlib.metadata.distributions(name=package["name"], path=places))
        if not found:
            continue  # the CUDA libraries, without a GPU
        installed = found[0].version
        if installed.partition("+")[0] != package["version"]:
            wrong.append((package["name"], installed, package["version"]))
    assert wrong == []


def test_a_package_that_the_lock_lacks_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry.dependencies]\npython = "*"\nclick = "*"\n[tool.poetry.extras]\n'
    )
    (tmp_path / "poetry.lock").write_text(
        '[[package]]\nname = "other"\nversion = "1"\nfiles = []\n'
    )
    with pytest.raises(SystemExit, match="holds no click"):
        lock.taken([], tmp_path)


def test_the_bill_is_valid_and_always_the_same(bill: dict[str, Any]) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = script("sbom.py").stdout
    assert json.loads(text) == bill
    # The validator takes a quarter of a second an address: a few of the packages stand for all.
    few = bill["components"][:: len(bill["components"]) // 2]
    few = [one | {"externalReferences": one["externalReferences"][:1]} for one in few]
    some = json.dumps(bill | {"components": few})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(some) is None
    wrong = json.dumps(bill | {"components": [{"name": "x"}]})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(wrong) is not None
    assert "timestamp" not in bill["metadata"]


def test_the_bill_names_every_package_with_its_digests(bill: dict[str, Any]) -> None:
    packages = {lock._normal(one["name"]): one for one in lock.taken(["all"])}
    assert {one["name"] for one in bill["components"]} == packages.keys()
    for one in bill["components"]:
        digests = {ref["hashes"][0]["content"] for ref in one["externalReferences"]}
        files = packages[one["name"]]["files"]
        assert digests == {file["hash"].removeprefix("sha256:") for file in files}


def test_the_list_of_licences_is_up_to_date() -> None:
    text = (ROOT / "docs" / "licences.md").read_text("utf-8")
    for package in lock.taken(["all", "dev"]):
        assert f"| {lock._normal(package['name'])} | {package['version']} |" in text


def test_the_edge_takes_nothing_under_a_strong_copyleft() -> None:
    done = script("sbom.py", "core")
    components = json.loads(done.stdout)["components"]
    assert 10 < len(components) < 60
    for one in components:
        for licence in one.get("licenses", ()):
            assert not re.search(r"\bA?GPL", licence["license"]["name"]), one["name"]


def test_an_audit_that_could_not_look_does_not_look_healthy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(text: str, code: int = 1) -> None:
        done = subprocess.CompletedProcess([], code, text, "the network is away")
        monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: done)

    answer("")
    assert audit.main([]) == 2
    assert "NOT CHECKED: the network is away" in capsys.readouterr().err
    answer(json.dumps({"dependencies": [{"name": "x", "skip_reason": "no answer"}]}))
    assert audit.main([]) == 2
    flaw = {"id": "CVE-1", "fix_versions": ["2"]}
    answer(json.dumps({"dependencies": [{"name": "x", "version": "1", "vulns": [flaw]}]}))
    assert audit.main([]) == 1
    assert "x 1: CVE-1" in capsys.readouterr().out
    answer(json.dumps({"dependencies": [{"name": "x", "version": "1", "vulns": []}]}), 0)
    assert audit.main([]) == 0
    monkeypatch.setattr(lock, "taken", lambda *_: [{"name": "x", "files": [{"hash": "md5:0"}]}])
    assert audit.main([]) == 1
