"""Reading a secret: from a file that nobody else may read, and from nowhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from jimbot.security.errors import SecretError

LONGEST: Final = 64 << 10
# Where systemd, agenix, sops, Docker and Kubernetes put secrets: in memory, and guarded by a
# directory or a mount of its own, whatever the file's mode says.
MANAGED: Final = Path("/run")
# World-readable by design, and copied to caches.
STORES: Final = (Path("/nix/store"), Path("/gnu/store"))


def read(path: Path) -> str:
    """What a file of secrets holds, without white space around it.

    Raises:
        SecretError: it cannot be read, or should not be; the error says nothing of its content.
    """
    return read_bytes(path).strip().decode("utf-8")


def read_bytes(path: Path) -> bytes:
    """Everything that a file of secrets holds; it is UTF-8.

    Raises:
        SecretError: as `read`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SecretError(
            f"cannot read the secret {path}: {error.strerror}", hint=f"Check: ls -l {path}"
        ) from None
    try:
        # Of the file that is open, not of one that was put in its place.
        _judge(path, os.fstat(descriptor))
        data = os.read(descriptor, LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > LONGEST:
        raise SecretError(f"{path} is too long for a secret", hint="Is it another file?")
    if not _is_text(data):
        raise SecretError(f"{path} does not hold text", hint="Is it another file?")
    return data


def check(path: Path) -> None:
    """Refuse a file that is handed to another program, as `read` would.

    Raises:
        SecretError: as `read`.
    """
    read_bytes(path)


def _is_text(data: bytes) -> bool:
    # Apart, so that the error above has no context: a decoding error holds all of the data.
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _judge(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SecretError(f"the secret {path} is no file", hint="Put the secret into a file")
    real = path.resolve()
    if any(store in real.parents for store in STORES):
        raise SecretError(
            f"the secret {path} lies in {real.parents[-3]}, which everybody reads",
            hint="Keep it outside, and hand it over with agenix, sops-nix or LoadCredential",
        )
    if MANAGED in real.parents:
        return
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretError(
            f"others than its owner may read the secret {path}", hint=f"chmod 600 {path}"
        )
    if found.st_uid not in (os.geteuid(), 0):
        raise SecretError(
            f"the secret {path} belongs to another user", hint=f"chown {os.geteuid()} {path}"
        )
