"""Two directories change names in one step, so that a power cut finds one or the other."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from jimbot.files import sync
from jimbot.operations.errors import OperationError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(one: Path, other: Path) -> None:
    """Let two paths, both there and on one file system, change places.

    Raises:
        OperationError: the file system cannot do it, or one is a mount point; nothing changed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        unable = number in (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EBUSY, errno.ENOTSUP)
        raise OperationError(
            f"{one} and {other} cannot change places: {os.strerror(number)}",
            hint="Restore into another directory with --target, and point JIMBOT_HOME there"
            if unable
            else "Make the directory above them writable",
        )
    sync(one.parent)
    sync(other.parent)
