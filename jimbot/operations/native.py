"""Services as processes of this machine, each within its share of memory and on its cores."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from jimbot.appliance import Appliance, Home
from jimbot.operations import process, shares
from jimbot.operations.cgroups import CONTROLLERS, CannotLimit, Controller, Tree
from jimbot.operations.runtime import Processes


class Native(Processes):
    """Processes under the kernel's control groups where those can be written, else pinned by
    affinity and without a limit of memory; `warnings` name what is not enforced.

    Args:
        scale: of the table's memory, what the profile takes.
    """

    def __init__(
        self,
        appliance: Appliance,
        home: Home,
        services: Iterable[str],
        *,
        scale: float = 1.0,
        command: Callable[[str], list[str]] | None = None,
    ) -> None:
        super().__init__(command)
        self._appliance = appliance
        self._trees: dict[Controller, Tree] = {}
        self._groups: dict[str, str] = {}
        self._kills: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        services = list(services)
        for name in services:
            row = appliance.service(name)
            self._groups[name] = f"{shares.group_path(appliance, row.group)}/{name}"
            self._limits[name] = shares.memory_mb(appliance, name, "native", scale)
        groups = {appliance.service(name).group for name in services}
        self._cores, self.warnings = shares.cores_here(appliance, groups)
        folder = f"jimbot-{hashlib.sha256(str(home.path).encode()).hexdigest()[:12]}"
        for controller in CONTROLLERS:
            try:
                self._trees[controller] = tree = Tree(controller, folder)
                self._set_limits(tree, services, scale)
            except CannotLimit as error:
                self._trees.pop(controller, None)
                self._warn(controller, str(error))

    def started(self, name: str, pid: int) -> None:
        for tree in self._trees.values():
            # What it started before it was moved is moved after it.
            with suppress(OSError):
                tree.put(self._groups[name], pid)
                for member in process.tree(pid)[1:]:
                    tree.put(self._groups[name], member.pid)
        group = self._appliance.service(name).group
        if "cpuset" not in self._trees and (cores := self._cores.get(group)):
            with suppress(OSError):
                os.sched_setaffinity(pid, cores)
        with suppress(OSError):  # only root makes a process less likely to be killed
            score = self._appliance.placement.oom_score.get(group, 0)
            Path(f"/proc/{pid}/oom_score_adj").write_text(str(score))

    async def why_ended(self, name: str, code: int) -> str:
        if memory := self._trees.get("memory"):
            before, now = self._kills.get(name, 0), memory.kills(self._groups[name])
            self._kills[name] = now
            if now > before:
                return f"killed for taking more than its {self._limits[name]} MB of memory"
        return ""

    async def close(self) -> None:
        for tree in self._trees.values():
            tree.remove()

    def _set_limits(self, tree: Tree, services: list[str], scale: float) -> None:
        for name in services:
            row = self._appliance.service(name)
            path = shares.group_path(self._appliance, row.group)
            group: str | None = row.group
            while group:
                # Cores are a service's: a group's need not be among those of the one around it.
                tree.limit(
                    shares.group_path(self._appliance, group),
                    memory_mb=shares.group_mb(self._appliance, group, scale),
                )
                group = self._appliance.groups[group].inside
            tree.limit(
                f"{path}/{name}",
                memory_mb=self._limits[name],
                cores=self._cores.get(row.group, frozenset()),
            )
            self._kills[name] = tree.kills(f"{path}/{name}")

    def _warn(self, controller: Controller, why: str) -> None:
        what = {
            "memory": "memory limits are not enforced",
            "cpuset": "cores are pinned by affinity alone, which a service may undo",
        }[controller]
        self.warnings.append(f"{what}: {why}")
