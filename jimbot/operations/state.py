"""What a running `jimbot up` tells other commands, and the lock that keeps it the only one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ValidationError

from jimbot.appliance import Home
from jimbot.operations.errors import AlreadyRunning
from jimbot.usage import is_same


class RunningService(BaseModel):
    """One service's process, which stands for its container where it runs in one."""

    pid: int
    started: float  # the process' creation time, which tells a reused pid apart
    address: str = "127.0.0.1"
    restarts: int = 0


class Running(BaseModel):
    """The run that holds (or held) the lock.

    `drained` were taken out of work, so that nobody expects them to be well.
    """

    pid: int
    started: float
    profile: str
    runtime: str = "native"
    generation: int | None = None
    services: dict[str, RunningService | None]
    drained: list[str] = []

    def alive(self) -> bool:
        return is_same(self.pid, self.started)


def read(home: Home) -> Running | None:
    """The last run's state; None when there is none or it is half-written."""
    try:
        return Running.model_validate_json((home.run / "up.json").read_bytes())
    except (OSError, ValidationError):
        return None


def write(home: Home, running: Running) -> None:
    new = home.run / "up.json.new"
    new.write_text(running.model_dump_json())
    new.replace(home.run / "up.json")


@contextmanager
def lock(home: Home) -> Iterator[None]:
    """Hold the state for one run; the kernel gives it back however the holder ends.

    Raises:
        AlreadyRunning: another run holds it.
    """
    with (home.run / "up.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = read(home)
            who = f" (pid {other.pid})" if other and other.alive() else ""
            raise AlreadyRunning(
                f"JimBot runs already on {home.path}{who}",
                hint="See it with `jimbot health`, or stop that one with Ctrl-C or SIGTERM",
            ) from None
        os.set_inheritable(file.fileno(), False)
        yield
