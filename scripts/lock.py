"""Turn poetry.lock into what pip understands, so that there is one lock.

    python3 scripts/lock.py constraints                  # name==version for every locked package
    python3 scripts/lock.py dev                          # the names of the development tools
    python scripts/lock.py requirements --hashes [EXTRA…]
        # every package that the core and the extras take here, with the digests of its files, for
        # pip install --require-hashes; `dev` counts as an extra

The first two run before anything is installed: standard library only. A name that the lock holds
at several versions (the CUDA libraries below torch) is left to the package that pins it. The last
needs a Python with pip, whose way to read versions and markers it uses.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Package = dict[str, Any]


def packages(root: Path = ROOT) -> list[Package]:
    """The locked packages, as poetry.lock has them."""
    found: list[Package] = tomllib.loads((root / "poetry.lock").read_text("utf-8"))["package"]
    return found


def constraints() -> list[str]:
    """`name==version` lines for the locked packages."""
    versions = defaultdict(set)
    for package in packages():
        versions[package["name"]].add(package["version"])
    return [f"{name}=={found.pop()}" for name, found in sorted(versions.items()) if len(found) == 1]


def dev() -> list[str]:
    """The development tools that pyproject.toml asks for."""
    return list(_project()["group"]["dev"]["dependencies"])


def requirements(extras: Iterable[str], *, hashes: bool) -> list[str]:
    """`name==version --hash=…` for all that the core and some extras take on this machine."""
    lines = []
    for package in taken(extras):
        line = f"{package['name']}=={package['version']}"
        if hashes:
            line += "".join(
                f" \\\n    --hash={digest}"
                for digest in sorted({file["hash"] for file in package["files"]})
            )
        lines.append(line)
    return lines


def taken(extras: Iterable[str], root: Path = ROOT) -> list[Package]:
    """The packages of the core and some extras, with all below them, by name.

    Raises:
        SystemExit: the lock does not hold one that is needed.
    """
    known: dict[str, list[Package]] = defaultdict(list)
    for package in packages(root):
        known[_normal(package["name"])].append(package)
    asked: dict[str, list[str]] = defaultdict(list)
    chosen: dict[str, Package] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(_roots(set(extras), root))
    while waiting:
        name, wanted, of = waiting.pop(0)
        name = _normal(name)
        asked[name].append(of)
        fitting = [
            one for one in known[name] if all(_fits(one["version"], of) for of in asked[name])
        ]
        if not fitting:
            sys.exit(f"lock.py: poetry.lock holds no {name} that is {' and '.join(asked[name])}")
        chosen[name] = fitting[0]
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        waiting += _below(fitting[0], wanted)
    return [chosen[name] for name in sorted(chosen)]


def _roots(extras: set[str], root: Path) -> Iterator[tuple[str, frozenset[str], str]]:
    project = _project(root)
    if odd := sorted(extras - {"dev"} - project["extras"].keys()):
        sys.exit(f"lock.py: no extra {odd[0]!r}; there are dev, {', '.join(project['extras'])}")
    optional = {name for extra in extras - {"dev"} for name in project["extras"][extra]}
    for name, how in project["dependencies"].items():
        table = how if isinstance(how, dict) else {}
        if name != "python" and (name in optional or not table.get("optional")):
            yield name, frozenset(table.get("extras", ())), ""
    if "dev" in extras:
        for name in project["group"]["dev"]["dependencies"]:
            yield name, frozenset(), ""


def _below(package: Package, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str], str]]:
    from pip._vendor.packaging.markers import Marker

    for name, how in package.get("dependencies", {}).items():
        for one in how if isinstance(how, list) else [how]:
            table = one if isinstance(one, dict) else {"version": one}
            marker = table.get("markers")
            if marker is None or any(
                Marker(marker).evaluate({"extra": extra}) for extra in (extras or {""})
            ):
                yield name, frozenset(table.get("extras", ())), table["version"]


def _project(root: Path = ROOT) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    poetry: dict[str, Any] = found["tool"]["poetry"]
    return poetry


def _fits(version: str, wanted: str) -> bool:
    """Whether a version is what somebody wants, as Poetry writes it: `1.2`, `>=1,<3 || ==4.*`."""
    from pip._vendor.packaging.specifiers import SpecifierSet

    if wanted in ("", "*"):
        return True
    return any(
        SpecifierSet(f"=={one}" if one[0].isdigit() else one).contains(version, prereleases=True)
        for one in map(str.strip, wanted.split("||"))
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> list[str]:
    """What to print for a command line."""
    match arguments:
        case ["constraints"]:
            return constraints()
        case ["dev"]:
            return dev()
        case ["requirements", *rest]:
            extras = [one for one in rest if one != "--hashes"]
            return requirements(extras, hashes="--hashes" in rest)
        case _:
            sys.exit("usage: lock.py constraints|dev|requirements [--hashes] [EXTRA…]")


if __name__ == "__main__":
    print("\n".join(main(sys.argv[1:])))
