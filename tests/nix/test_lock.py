from __future__ import annotations

import json
import re
import tomllib

from tests.nix.lab import ROOT

LOCK = json.loads((ROOT / "flake.lock").read_text())
NODES = LOCK["nodes"]
FLAKE = (ROOT / "flake.nix").read_text()


def test_every_input_of_the_flake_is_locked() -> None:
    inputs = set(re.findall(r"^    (\w+)(?:\.url = | = \{$)", FLAKE.split("outputs =")[0], re.M))
    assert inputs == {"nixpkgs", "poetry2nix"}
    assert set(NODES[LOCK["root"]]["inputs"]) == inputs


def test_the_lock_is_of_what_the_flake_names() -> None:
    for name in ("nixpkgs", "poetry2nix"):
        original = NODES[name]["original"]
        url = f"github:{original['owner']}/{original['repo']}"
        if "ref" in original:
            url += f"/{original['ref']}"
        assert f'"{url}"' in FLAKE


def test_poetry2nix_uses_our_nixpkgs() -> None:
    assert "inputs.nixpkgs.follows" in FLAKE
    assert NODES["poetry2nix"]["inputs"]["nixpkgs"] == ["nixpkgs"]


def test_every_locked_input_has_a_revision_and_a_hash() -> None:
    for name, node in NODES.items():
        if name != LOCK["root"]:
            assert re.fullmatch(r"[0-9a-f]{40}", node["locked"]["rev"]), name
            assert re.fullmatch(r"sha256-[A-Za-z0-9+/]{43}=", node["locked"]["narHash"]), name


def test_poetry2nix_can_read_the_python_lock() -> None:
    lock = tomllib.loads((ROOT / "poetry.lock").read_text())
    assert lock["metadata"]["lock-version"] == "2.0"
    assert lock["metadata"]["python-versions"] == ">=3.11,<3.12"


def test_torch_comes_with_the_cuda_that_the_overrides_pick() -> None:
    rows = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
    toolkit = next(row for row in rows if row["name"] == "cuda-toolkit")
    locked = {(row["name"], row["version"]) for row in rows}
    names = [name for name, _ in locked]
    for name, wanted in toolkit["dependencies"].items():
        if names.count(name) > 1:
            version = wanted["version"].removeprefix("==").removesuffix(".*")
            assert (name, version) in locked
