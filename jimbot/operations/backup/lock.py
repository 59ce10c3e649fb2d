"""One backup or restore of a home at a time; the kernel gives the lock back however one ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO

from jimbot.appliance import Home
from jimbot.operations.backup.errors import BackupError, BackupRunning
from jimbot.operations.backup.record import folder

_LOOK_S = 0.5


@contextmanager
def held(home: Home, what: str, *, name: str = "lock", wait_s: float = 0.0) -> Iterator[None]:
    """Hold the backups of a home for `what`.

    Args:
        wait_s: how long to wait for another to give them back.

    Raises:
        BackupRunning: another holds them; says who and since when.
    """
    until = time.monotonic() + wait_s
    while True:
        # Opened anew each time: a restore puts another home in the place of this one.
        with _opened(home, name) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                left = until - time.monotonic()
                if left <= 0:
                    file.seek(0)
                    who = _holder(file.read())
                    raise BackupRunning(
                        f"a {what} of {home.path} must wait: backups are in use{who}",
                        hint="Wait for it (--wait), or stop that process; what it has sent is not"
                        " sent again",
                    ) from None
            else:
                _sign(file, what)
                yield
                return
        time.sleep(min(_LOOK_S, left))


def _opened(home: Home, name: str) -> IO[str]:
    try:
        folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
        return (folder(home) / name).open("a+")
    except OSError as error:
        raise BackupError(
            f"cannot use {folder(home)}: {error.strerror}", hint="Make the home writable"
        ) from error


def _sign(file: IO[str], what: str) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "what": what, "since": since}))
    file.flush()


def _holder(text: str) -> str:
    try:
        who = json.loads(text)
        return f" ({who['what']}, pid {who['pid']}, since {who['since']})"
    except (ValueError, KeyError, TypeError):
        return ""
