"""Where JimBot keeps its state: one directory, and the names of everything in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from jimbot.errors import JimbotError

_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def expand(text: str) -> str:
    """A path of the table with its $VARIABLES; empty where one of them is not set."""
    names = [name.strip("{}") for name in _VARIABLE.findall(text)]
    return os.path.expandvars(text) if all(os.environ.get(name) for name in names) else ""


class HomeError(JimbotError):
    """The state directory cannot be used."""


class Home:
    """Paths under one state directory: `$JIMBOT_HOME`, else `$XDG_STATE_HOME/jimbot`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls) -> Home:
        if given := os.environ.get("JIMBOT_HOME"):
            return cls(Path(given).absolute())
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return cls(Path(state) / "jimbot")

    @property
    def event_log(self) -> Path:
        return self.path / "events" / "log.sqlite"

    @property
    def series(self) -> Path:
        return self.path / "metrics" / "series.sqlite"

    @property
    def graph(self) -> Path:
        return self.path / "knowledge" / "graph.ladybug"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def logs(self) -> Path:
        """One file of JSON lines a service."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """What only lives while `jimbot up` runs: the lock, its state, acknowledgement journals."""
        return self.path / "run"

    @property
    def acknowledged(self) -> Path:
        """Journals of acknowledged event ids, one a client; `jimbot up` proves them stored."""
        return self.run / "acknowledged"

    def prepare(self) -> None:
        """Make the directory, private to its owner.

        Raises:
            HomeError: it cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.event_log.parent, self.series.parent, self.graph.parent):
                folder.mkdir(exist_ok=True)
            for folder in (self.checkpoints, self.logs, self.run, self.acknowledged):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise HomeError(
                f"cannot use {self.path} for JimBot's state: {error.strerror}",
                hint="Make it writable, or set JIMBOT_HOME to another directory",
            ) from error
