"""`python -m tests.nix.check`: all that this machine can tell of the flake.

Files, lock and table always; the flake, the module and the images where `NIXPKGS_TREE` points at a
stand-in for nixpkgs. What could not be looked at is named at the end. Exits 0 when nothing failed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.nix import lab


def main(arguments: list[str]) -> int:
    if why := lab.tree_is_missing():
        print(f"nix-check: only files are looked at: {why}", file=sys.stderr)
    here = str(Path(__file__).parent)
    options = ["-rsP", "-m", "soak or not soak", "--timeout", "3600", "-p", "no:xdist"]
    return int(pytest.main([*options, here, *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
