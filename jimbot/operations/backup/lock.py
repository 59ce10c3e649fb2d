"""One backup or restore of a home at a time; the kernel gives the lock back however one ends."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from jimbot.appliance import Home
from jimbot.operations.backup.errors import BackupError, BackupRunning
from jimbot.operations.backup.record import folder


@contextmanager
def held(home: Home, what: str, *, name: str = "lock") -> Iterator[None]:
    """Hold the backups of a home for `what`.

    Raises:
        BackupRunning: another holds them; says who and since when.
    """
    try:
        folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder(home) / name).open("a+")
    except OSError as error:
        raise BackupError(
            f"cannot use {folder(home)}: {error.strerror}", hint="Make the home writable"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BackupRunning(
                f"a {what} of {home.path} must wait: backups are in use{_holder(file.read())}",
                hint="Wait for it, or stop that process; what it has sent is not sent again",
            ) from None
        file.truncate(0)
        file.write(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "what": what,
                    "since": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        )
        file.flush()
        yield


def _holder(text: str) -> str:
    try:
        who = json.loads(text)
        return f" ({who['what']}, pid {who['pid']}, since {who['since']})"
    except (ValueError, KeyError, TypeError):
        return ""
