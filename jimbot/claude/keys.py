"""API keys: from files, several, changed without a restart, never shown.

A key is a `SecretStr` from the moment it is read; what may be shown is the name of its file.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from jimbot.claude.errors import KeyFileError
from jimbot.files import write_whole
from jimbot.security import secrets as files
from jimbot.security.errors import SecretError

# Files are looked at again this often; a rotated key is in use after it.
LOOK_S = 1.0
LONGEST = 512


class Key(NamedTuple):
    """One key. `name` is its file's, for people."""

    name: str
    secret: SecretStr


def read(path: Path) -> Key:
    """Read one key file.

    Raises:
        KeyFileError: it cannot be read, others may read it, or it does not hold one key.
    """
    try:
        text = files.read(path)
    except SecretError as error:
        raise KeyFileError(error.message, hint=error.hint) from None
    check(text, str(path))
    return Key(path.name, SecretStr(text))


def check(text: str, where: str) -> None:
    """Raises `KeyFileError` when a text cannot be a key; says nothing of the text."""
    if not 8 <= len(text) <= LONGEST or any(not "!" <= c <= "~" for c in text):
        raise KeyFileError(f"{where} does not hold a key", hint="One key, one line")


def locate(entries: Sequence[str], home: Path) -> list[Path]:
    """The table's entries as paths; those with an unset $VARIABLE are left out."""
    expanded = [os.path.expandvars(entry) for entry in entries]
    return [home / path for path in expanded if "$" not in path]


def write(folder: Path, secret: str) -> Path:
    """Put a key into a folder of keys, whole or not at all; returns its file.

    The newest key is used first; the folder's others stay as what is tried next.

    Raises:
        KeyFileError: it is no key, or cannot be written.
    """
    check(secret, "what was given")
    path = folder / f"key-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, f"{secret}\n".encode(), mode=0o600)
    except OSError as error:
        raise KeyFileError(
            f"cannot write a key into {folder}: {error.strerror}", hint="Make it writable"
        ) from None
    return path


class KeyRing:
    """The keys that there are now, newest first, and which of them are refused or cooling."""

    def __init__(self, paths: Sequence[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self._paths = paths
        self._clock = clock
        self._looked = float("-inf")
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self._keys: tuple[Key, ...] = ()
        self._resting: dict[str, float] = {}
        self.problems: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys, newest first."""
        if self._clock() - self._looked >= LOOK_S:
            self.reload()
        return self._keys

    @property
    def usable(self) -> tuple[Key, ...]:
        """Those that are neither refused nor cooling."""
        now = self._clock()
        return tuple(key for key in self.keys if self._resting.get(key.name, 0.0) <= now)

    def refused(self, key: Key) -> None:
        """The API does not take this key: not used again until the files change."""
        self._resting[key.name] = float("inf")

    def cool(self, key: Key, seconds: float) -> None:
        """The API wants a pause for this key."""
        self._resting[key.name] = max(
            self._resting.get(key.name, 0.0), self._clock() + min(max(seconds, 0.0), 3600.0)
        )

    def reload(self) -> None:
        """Look at the files; read them when one has changed."""
        self._looked = self._clock()
        files = [file for path in self._paths for file in _files(path)]
        seen = tuple(
            (str(file), s.st_mtime_ns, s.st_mode)
            for file in files
            if (s := _stat(file)) is not None
        )
        if seen == self._seen:
            return
        self._seen, self._resting = seen, {}
        keys: dict[str, Key] = {}
        problems = []
        for file in files:
            try:
                key = read(file)
            except KeyFileError as error:
                problems.append(str(error))
            else:
                keys.setdefault(key.secret.get_secret_value(), key)
        self._keys, self.problems = tuple(keys.values()), tuple(problems)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [file for file in path.iterdir() if not file.name.startswith(".")]
        return sorted((file for file in found if file.is_file()), key=_newest_first)
    return [path] if path.exists() else []


def _newest_first(path: Path) -> tuple[int, str]:
    found = _stat(path)
    return (-found.st_mtime_ns if found else 0, path.name)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
