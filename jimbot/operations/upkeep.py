"""What comes round while `jimbot up` runs: old data goes, backups are made and tried.

On NixOS systemd's timers do the same. Each is a process of its own, at low priority, so that its
memory goes when it has ended and a failure stops nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jimbot.appliance import Appliance, Home
from jimbot.files import write_whole
from jimbot.operations import backup, itself
from jimbot.operations.backup import runner
from jimbot.operations.backup.watch import AGAIN_S, LOOK_S

_log = logging.getLogger(__name__)

# Nothing of it in the first minutes, when everything starts.
FIRST_S: Final = 300.0
_NICE: Final = 10
_END_S: Final = 1.0


class Upkeep:
    """The chores of one home; `running` are the processes that must not be taken for strays.

    Backups are made once they are set up (`jimbot backup init`); until then an alert says so.
    """

    def __init__(self, appliance: Appliance, home: Home) -> None:
        self.running: set[int] = set()
        self._appliance = appliance
        self._home = home
        self._not_before: dict[str, float] = {}

    def due(self, now: float) -> list[tuple[str, list[str]]]:
        """What is due, as names and what follows `jimbot`; the most needed first."""
        hours = self._appliance.maintenance
        backups = self._backups_set_up()
        found: list[tuple[str, list[str]]] = []
        if backups and (kind := backup.due(self._appliance, self._home)):
            found.append(("backup", ["backup", "run", "--kind", kind]))
        if self._since("retain", now) >= hours.retain_hours * 3600:
            found.append(("retain", ["db", "retain"]))
        if backups and self._since("drill", now) >= hours.drill_hours * 3600:
            found.append(("drill", ["drill"]))
        return [(name, command) for name, command in found if now >= self._not_before.get(name, 0)]

    async def keep(self, clock: Callable[[], float] = time.time) -> None:
        """Do what is due, for ever."""
        await asyncio.sleep(FIRST_S)
        while True:
            for name, command in self.due(clock()):
                code = await self._do(command)
                if code == 0:
                    self._done(name, clock())
                else:
                    self._not_before[name] = clock() + AGAIN_S
                fields = {"command": " ".join(command), "exit_code": code}
                level = logging.INFO if code == 0 else logging.ERROR
                _log.log(level, "upkeep", extra={"fields": fields})
            await asyncio.sleep(LOOK_S)

    async def _do(self, command: list[str]) -> int:
        # It does not write into what services say to people on the terminal.
        with (self._home.logs / "upkeep.out").open("ab") as out:
            return await itself.run(
                self._home, *command, output=out, nice=_NICE, end_s=_END_S, running=self.running
            )

    def _backups_set_up(self) -> bool:
        try:
            runner.repository(self._appliance, self._home)
        except backup.BackupError:
            return False
        return True

    def _since(self, name: str, now: float) -> float:
        """Seconds since it was done last; without end when never. A clock set back counts too."""
        last = self._read().get(name)
        return float("inf") if last is None else abs(now - last)

    def _done(self, name: str, now: float) -> None:
        write_whole(self._file, json.dumps(self._read() | {name: now}).encode())

    @property
    def _file(self) -> Path:
        return self._home.path / "upkeep.json"

    def _read(self) -> dict[str, float]:
        try:
            found = json.loads(self._file.read_bytes())
            return {str(name): float(at) for name, at in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}
