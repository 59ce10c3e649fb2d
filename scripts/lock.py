"""Turn poetry.lock into what pip understands, so that there is one lock.

    python3 scripts/lock.py constraints    # name==version for every locked package
    python3 scripts/lock.py dev            # the names of the development tools

Runs before anything is installed: standard library only. A name that the lock holds at several
versions (the CUDA libraries below torch) is left to the package that pins it.
"""

from __future__ import annotations

import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def constraints() -> list[str]:
    """`name==version` lines for the locked packages."""
    versions = defaultdict(set)
    for package in tomllib.loads((ROOT / "poetry.lock").read_text("utf-8"))["package"]:
        versions[package["name"]].add(package["version"])
    return [f"{name}=={found.pop()}" for name, found in sorted(versions.items()) if len(found) == 1]


def dev() -> list[str]:
    """The development tools that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return list(project["tool"]["poetry"]["group"]["dev"]["dependencies"])


if __name__ == "__main__":
    parts = {"constraints": constraints, "dev": dev}
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        sys.exit(f"usage: lock.py {'|'.join(parts)}")
    print("\n".join(parts[sys.argv[1]]()))
