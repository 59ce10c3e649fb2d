"""Checkpoints: written whole or not at all, proved before they are used, pruned.

A checkpoint is a directory `<steps as 12 digits>` with whatever its writer put there, and a
manifest with the size and SHA-256 of each file. With a recipient it holds one file in place of
those, `sealed.tar.age`: their tar archive, encrypted with age; `opened` unpacks it for its reader.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jimbot.errors import MissingExtra
from jimbot.files import sync
from jimbot.security.errors import SecretError
from jimbot.security.secrets import read as read_secret
from jimbot.training.errors import TrainingError

if TYPE_CHECKING:
    from jimbot.appliance.home import Home
    from jimbot.appliance.training import Training

_log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
SEALED = "sealed.tar.age"
_NAME = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Seal:
    """Encryption with age.

    Attributes:
        recipient: the public key that checkpoints are encrypted for; empty for none.
        identity: the file with the private key, which is read only to open one.
    """

    recipient: str = ""
    identity: Path | None = None

    @staticmethod
    def of(table: Training, home: Home) -> Seal:
        """The table's; a relative identity lies in the home."""
        identity = home.path / os.path.expandvars(table.checkpoint_identity)
        return Seal(table.checkpoint_recipient, identity)


def save(
    directory: Path,
    steps: int,
    write: Callable[[Path], object],
    *,
    keep: int,
    seal: Seal | None = None,
) -> Path:
    """Write a checkpoint and remove the oldest beyond `keep`.

    Args:
        steps: environment steps so far; orders the checkpoints.
        write: fills an empty directory.
        seal: with a recipient, encrypts what was written.

    Raises:
        TrainingError: it could not be written; what was there before is untouched.
    """
    final = directory / f"{steps:012d}"
    partial = directory / f".partial-{os.getpid()}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write(partial)
        if seal is not None and seal.recipient:
            _encrypt(partial, seal.recipient)
        manifest = {
            str(path.relative_to(partial)): [path.stat().st_size, _digest(path)]
            for path in _files(partial)
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
        for path in _files(partial):
            sync(path)
        sync(partial)
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        sync(directory)
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
    return next(whole(directory), None)


def whole(directory: Path) -> Iterator[Path]:
    """The checkpoints that are whole, newest first; each is checked when it is its turn."""
    for path in _all(directory):
        if problem := damage(path):
            _log.warning("checkpoint %s is damaged and was passed over: %s", path.name, problem)
        else:
            yield path


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
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return f"its manifest cannot be read ({error})"
    return ""


def sweep(directory: Path) -> None:
    """Remove what a killed writer left half done."""
    for path in directory.glob(".partial-*"):
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def opened(path: Path, seal: Seal | None = None) -> Iterator[Path]:
    """A checkpoint's files as its writer put them there; what is decrypted is gone afterwards.

    Raises:
        TrainingError: it is encrypted and cannot be opened; says why.
    """
    if not (path / SEALED).exists():
        yield path
        return
    # Beside the checkpoint: private to this user, and swept away if its reader is killed.
    plain = Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
    try:
        _decrypt(path / SEALED, seal.identity if seal else None, plain)
        yield plain
    finally:
        shutil.rmtree(plain, ignore_errors=True)


def _encrypt(directory: Path, recipient: str) -> None:
    """Replace a directory's files by their encrypted archive."""
    pyrage = _pyrage()
    try:
        key = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise TrainingError(
            f"the checkpoints' recipient is no age public key: {error}",
            hint="Mend checkpoint_recipient in [training]; age-keygen -y IDENTITY prints it",
        ) from error
    with tempfile.TemporaryFile(dir=directory.parent) as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path in _files(directory):
                tar.add(path, str(path.relative_to(directory)))
        archive.seek(0)
        for path in list(directory.iterdir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        with (directory / SEALED).open("wb") as file:
            pyrage.encrypt_io(archive, file, [key])


def _decrypt(file: Path, identity: Path | None, directory: Path) -> None:
    pyrage = _pyrage()
    hint = "Put the age identity there that checkpoint_recipient in [training] belongs to"
    if identity is None:
        raise TrainingError(f"{file} is encrypted, and no identity was given", hint=hint)
    try:
        lines = read_secret(identity).splitlines()
        keys = [
            pyrage.x25519.Identity.from_str(line.strip())
            for line in lines
            if line.startswith("AGE-SECRET-KEY-")
        ]
        with tempfile.TemporaryFile(dir=directory) as archive:
            with file.open("rb") as sealed:
                pyrage.decrypt_io(sealed, archive, keys)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                tar.extractall(directory, filter="data")
    except SecretError as error:
        raise TrainingError(error.message, hint=f"{error.hint}. {hint}") from None
    except OSError as error:
        raise TrainingError(f"cannot read {identity}: {error.strerror}", hint=hint) from error
    except (pyrage.IdentityError, pyrage.DecryptError, tarfile.TarError) as error:
        raise TrainingError(f"cannot decrypt {file}: {error}", hint=hint) from error


def _pyrage() -> Any:
    try:
        import pyrage  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("pyrage", "train") from None
    return pyrage


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
