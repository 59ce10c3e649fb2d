"""The kernel's control groups, of both versions: limits that hold for a process and its children.

Version 1 has a tree a controller, version 2 one tree for all. Either way a group is a folder, a
limit is a file in it, and a process joins by its pid being written to `cgroup.procs`.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

ROOT: Final = Path("/sys/fs/cgroup")
OWN: Final = Path("/proc/self/cgroup")

Controller = Literal["memory", "cpuset"]
CONTROLLERS: Final[tuple[Controller, ...]] = ("memory", "cpuset")


class CannotLimit(Exception):
    """A controller cannot be used here; the message says why."""


class Tree:
    """One controller's folders below the group that this process is in.

    Groups are named by paths like `training/trainer`; the folder above them is `name`.

    Raises:
        CannotLimit: no such controller, or its folders cannot be written.
    """

    def __init__(
        self, controller: Controller, name: str, *, root: Path = ROOT, own: Path = OWN
    ) -> None:
        self._controller = controller
        self._unified = (root / "cgroup.controllers").exists()
        above = _folder_of_ours(controller, root, own, unified=self._unified)
        self.path = above / name
        self._made: list[Path] = []
        try:
            if self._unified:
                _hand_down(above, controller)
            self._make(self.path)
        except OSError as error:
            raise CannotLimit(f"{error.strerror or error}: {error.filename or above}") from error

    def limit(self, group: str, *, memory_mb: int = 0, cores: frozenset[int] = frozenset()) -> None:
        """Make a group (and those above it) and set its limit; 0 or none leaves it without.

        Raises:
            CannotLimit: the kernel refuses.
        """
        path = self.path
        try:
            for part in group.split("/"):
                if self._unified:
                    _hand_down(path, self._controller)
                path = path / part
                self._make(path)
            if self._controller == "memory" and memory_mb:
                size = str(memory_mb << 20)
                self._set(path, "memory.max", "memory.limit_in_bytes", size)
                with suppress(OSError):  # a kernel without accounting of swap
                    swap = "0" if self._unified else size
                    self._set(path, "memory.swap.max", "memory.memsw.limit_in_bytes", swap)
            if self._controller == "cpuset" and cores:
                wanted = ",".join(str(core) for core in sorted(cores))
                self._set(path, "cpuset.cpus", "cpuset.cpus", wanted)
        except OSError as error:
            raise CannotLimit(f"{error.strerror or error}: {error.filename}") from error

    def put(self, group: str, pid: int) -> None:
        """Move a process into a group; one that has ended meanwhile is no error."""
        with suppress(ProcessLookupError):
            (self.path / group / "cgroup.procs").write_text(str(pid))

    def kills(self, group: str) -> int:
        """How often the kernel killed in this group because of its memory limit."""
        name = "memory.events" if self._unified else "memory.oom_control"
        try:
            lines = (self.path / group / name).read_text().splitlines()
        except OSError:
            return 0
        counts = dict(line.split(maxsplit=1) for line in lines if " " in line)
        return int(counts.get("oom_kill", 0))

    def remove(self) -> None:
        """Remove the folders; one in which a process still lives stays."""
        for path in reversed(self._made):
            for _ in range(5):
                try:
                    path.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:  # a process that was killed leaves a moment later
                    time.sleep(0.02)
        self._made.clear()

    def _make(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        if path not in self._made:
            self._made.append(path)
        if self._controller == "cpuset" and not self._unified:
            # Nobody may join such a group before it has cores and memory of its own.
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (path / name).read_text().strip():
                    (path / name).write_text((path.parent / name).read_text())

    def _set(self, path: Path, unified: str, old: str, value: str) -> None:
        (path / (unified if self._unified else old)).write_text(value)


def _folder_of_ours(controller: str, root: Path, own: Path, *, unified: bool) -> Path:
    """The folder of the group that this process is in."""
    try:
        lines = own.read_text().splitlines()
    except OSError as error:
        raise CannotLimit(f"{own} cannot be read") from error
    for line in lines:
        _, names, path = line.split(":", 2)
        if (unified and not names) or controller in names.split(","):
            top = root if unified else root / controller
            folder = top / path.lstrip("/")
            # In a container the path may be that of the host.
            return folder if folder.is_dir() else top
    raise CannotLimit(f"this kernel has no {controller} control groups")


def _hand_down(path: Path, controller: Controller) -> None:
    """Version 2: let the groups below `path` use the controller."""
    control = path / "cgroup.subtree_control"
    if controller not in control.read_text().split():
        control.write_text(f"+{controller}")


def cannot_write(controller: Controller) -> str:
    """Why groups of a controller cannot be made here; empty when they can."""
    try:
        tree = Tree(controller, f"jimbot-try-{os.getpid()}")
        tree.limit("try")
        tree.remove()
    except CannotLimit as error:
        return str(error)
    return ""
