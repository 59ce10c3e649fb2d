"""Checkpoints: written whole or not at all, proved before they are used, pruned.

A checkpoint is a directory `<steps as 12 digits>` with whatever its writer put there, and a
manifest with the size and SHA-256 of each file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from jimbot.training.errors import TrainingError

_log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
_NAME = re.compile(r"\d{12}")


def save(directory: Path, steps: int, write: Callable[[Path], object], *, keep: int) -> Path:
    """Write a checkpoint and remove the oldest beyond `keep`.

    Args:
        steps: environment steps so far; orders the checkpoints.
        write: fills an empty directory.

    Raises:
        TrainingError: it could not be written; what was there before is untouched.
    """
    final = directory / f"{steps:012d}"
    partial = directory / f".partial-{os.getpid()}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write(partial)
        manifest = {
            str(path.relative_to(partial)): [path.stat().st_size, _digest(path)]
            for path in _files(partial)
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
        for path in _files(partial):
            _sync(path)
        _sync(partial)
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        _sync(directory)
    except OSError as error:
        raise TrainingError(
            f"cannot write checkpoint {final}: {error.strerror}", hint="Is the disk full?"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for old in _all(directory)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def newest(directory: Path) -> Path | None:
    """The newest checkpoint that is whole; damaged ones are passed over with a warning."""
    for path in _all(directory):
        if problem := damage(path):
            _log.warning("checkpoint %s is damaged and was passed over: %s", path.name, problem)
            continue
        return path
    return None


def damage(path: Path) -> str:
    """What is wrong with a checkpoint; empty when it is whole."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        for name, (size, digest) in manifest.items():
            file = path / name
            if not file.is_file():
                return f"{name} is missing"
            if file.stat().st_size != size or _digest(file) != digest:
                return f"{name} is not what was written"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"its manifest cannot be read ({error})"
    return ""


def sweep(directory: Path) -> None:
    """Remove what a killed writer left half done."""
    for path in directory.glob(".partial-*"):
        shutil.rmtree(path, ignore_errors=True)


def _all(directory: Path) -> list[Path]:
    """Newest first."""
    if not directory.is_dir():
        return []
    found = [path for path in directory.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, reverse=True)


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
