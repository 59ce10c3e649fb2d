"""Hot reload for development: a service whose code changes is started again."""

from __future__ import annotations

import ast
import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

import jimbot
from jimbot.operations.supervisor import Supervisor

_log = logging.getLogger(__name__)

_LOOK_S = 0.5


def _module(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Sources:
    """The package's files, and which modules each of them imports, however late."""

    def __init__(self, package: Path | None = None) -> None:
        self._package = package or Path(jimbot.__file__).parent
        self._dates: dict[Path, float] = {}
        self._imports: dict[str, frozenset[str]] = {}
        self.changed()

    def changed(self) -> set[str]:
        """The modules whose files are other than at the last call."""
        now = {}
        for path in self._package.rglob("*.py"):
            try:
                now[path] = path.stat().st_mtime
            except FileNotFoundError:
                continue
        different = {p for p in {*now, *self._dates} if now.get(p) != self._dates.get(p)}
        self._dates = now
        for path in different:
            self._imports[_module(path, self._package)] = self._imported(path)
        return {_module(path, self._package) for path in different}

    def needed_by(self, module: str) -> set[str]:
        """A module, and all that it imports, directly or not."""
        found: set[str] = set()
        left = [module]
        while left:
            name = left.pop()
            if name in found or name not in self._imports:
                continue
            found.add(name)
            left += self._imports[name]
            if "." in name:
                left.append(name.rpartition(".")[0])  # its package is imported with it
        return found

    def _imported(self, path: Path) -> frozenset[str]:
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError):  # removed, or in the middle of being written
            return frozenset()
        names: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        return frozenset(name for name in names if name.split(".")[0] == self._package.name)


def concerned(programs: Mapping[str, str], changed: set[str], sources: Sources) -> list[str]:
    """Which services run code of these modules; `programs` names each one's module."""
    return [name for name, module in programs.items() if changed & sources.needed_by(module)]


async def watch(supervisor: Supervisor, programs: Mapping[str, str]) -> None:
    """Look at the files until cancelled, and restart whom a change concerns."""
    sources = await asyncio.to_thread(Sources)
    ours = {name: module for name, module in programs.items() if name in supervisor.services}
    while True:
        await asyncio.sleep(_LOOK_S)
        if changed := await asyncio.to_thread(sources.changed):
            names = concerned(ours, changed, sources)
            _log.warning("%s changed: restarting %s", ", ".join(sorted(changed)), names or "nobody")
            for name in names:
                await supervisor.restart(name)
