"""What the supervisor asks of the place where services run: processes here, or containers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from jimbot.operations import process


class Release(NamedTuple):
    """What a service is started from: a folder with a copy of the package, a table's file, and
    images by their names in the table."""

    code: Path
    table: Path
    images: Mapping[str, str]


class Runtime(Protocol):
    """How one service is started, limited and cleaned up; the supervisor does the rest."""

    warnings: list[str]
    directory: Path | None  # where a service's process is started; where we are when None
    sweeps: bool  # whether all that comes to the supervisor from a dead service is to be killed

    def use(self, name: str, release: Release | None) -> None:
        """Start a service from this release from now on; None: from what the supervisor runs."""

    def command(self, name: str) -> list[str]:
        """The command line whose process is the service, or stands for it."""

    def environment(self, name: str) -> Mapping[str, str]:
        """What this service's process gets besides everybody's."""

    def address(self, name: str) -> str:
        """Where its ports are."""

    async def prepare(self, name: str) -> None:
        """Called before each start."""

    def started(self, name: str, pid: int) -> None:
        """Called right after each start."""

    async def why_ended(self, name: str, code: int) -> str:
        """Why it ended, in a few words; empty when the runtime knows no more than the code.
        Called before `clean`."""

    def top(self, name: str, pid: int) -> int:
        """The process above all others of the service; 0 where there is none. Blocks."""

    def memory_mb(self, name: str, pid: int) -> float:
        """What it takes now, MiB."""

    async def clean(self, name: str) -> None:
        """Called when its process has ended: nothing of it may stay."""

    async def close(self) -> None:
        """Called when all have ended."""


class Processes:
    """Plain processes of this machine, without limits.

    Args:
        command: makes a service's command line; replaced in tests.
    """

    def __init__(self, command: Callable[[str], list[str]] | None = None) -> None:
        self.warnings: list[str] = []
        self.directory: Path | None = None
        self.sweeps = True
        self._command = command
        self._releases: dict[str, Release] = {}

    def use(self, name: str, release: Release | None) -> None:
        self._releases.pop(name, None)
        if release is not None:
            self._releases[name] = release

    def command(self, name: str) -> list[str]:
        if self._command:
            return self._command(name)
        # -P: the copy of the package must not lose to a folder `jimbot` that happens to be here.
        safe = ["-P"] if name in self._releases else []
        return [sys.executable, *safe, "-m", "jimbot", "serve", name]

    def environment(self, name: str) -> Mapping[str, str]:
        if release := self._releases.get(name):
            return {"PYTHONPATH": str(release.code), "JIMBOT_TABLE": str(release.table)}
        return {}

    def address(self, name: str) -> str:
        return "127.0.0.1"

    async def prepare(self, name: str) -> None:
        pass

    def started(self, name: str, pid: int) -> None:
        pass

    async def why_ended(self, name: str, code: int) -> str:
        return ""

    def top(self, name: str, pid: int) -> int:
        return pid

    def memory_mb(self, name: str, pid: int) -> float:
        return process.memory_mb(process.tree(pid))

    async def clean(self, name: str) -> None:
        pass

    async def close(self) -> None:
        pass
