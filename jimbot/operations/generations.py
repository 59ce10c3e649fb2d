"""Numbered generations of the appliance: what ran when, kept whole so that it can run again.

`generations/` in the home holds a folder each, `N/`, with `generation.json` and the table; the
link `current` names the one that runs, and is the only truth about that. Copies of the package lie
under `code/` by their digest, shared by the generations that have the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

import jimbot
from jimbot import __version__
from jimbot.appliance import Appliance, Home, TableError, load
from jimbot.files import sync, write_whole
from jimbot.operations.errors import AlreadyRunning, OperationError
from jimbot.operations.runtime import Release

_DIGITS: Final = 16


class Generation(BaseModel):
    """What one generation consists of.

    Attributes:
        code: the digest of its copy of the package.
        table: the digest of its table.
        images: what runs as containers, by the images' names in the table; empty natively.
        config: what else was set, e.g. the profile and the environment.
        schemas: which version of its schema it wants of each store.
        before: the one that ran before it.
    """

    number: int
    made: datetime
    version: str
    code: str
    table: str
    runtime: str = "native"
    images: dict[str, str] = {}
    config: dict[str, str] = {}
    schemas: dict[str, int] = {}
    before: int | None = None

    def differs(self, other: Generation | None) -> list[str]:
        """In what it is another than `other`, in words."""
        if other is None:
            return ["it is the first generation"]
        parts = ("version", "code", "table", "runtime", "images", "config", "schemas")
        return [part for part in parts if getattr(self, part) != getattr(other, part)]


class Journal(BaseModel):
    """How far a deployment is; there while one is under way, or was cut off.

    `new`: it made the generation, which goes with it when it is taken back.
    """

    to: int
    before: int | None
    new: bool
    rolled: list[str] = []


def folder(home: Home) -> Path:
    return home.path / "generations"


@contextmanager
def lock(home: Home) -> Iterator[None]:
    """Hold the generations for one deployment.

    Raises:
        AlreadyRunning: another one is under way.
    """
    folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder(home) / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                "another deployment is under way", hint="Wait for it: jimbot generations"
            ) from None
        yield


def every(home: Home) -> list[Generation]:
    """All that are whole, oldest first."""
    found = []
    for path in folder(home).glob("[0-9]*/generation.json"):
        with suppress(OSError, ValidationError):
            found.append(Generation.model_validate_json(path.read_bytes()))
    return sorted(found, key=lambda each: each.number)


def get(home: Home, number: int) -> Generation:
    """One of them.

    Raises:
        OperationError: there is none of that number.
    """
    for each in every(home):
        if each.number == number:
            return each
    raise OperationError(f"there is no generation {number}", hint="See: jimbot generations")


def current(home: Home) -> Generation | None:
    """The one that runs, or will when the appliance is started; None before the first."""
    try:
        return get(home, int(os.readlink(folder(home) / "current")))
    except (OSError, ValueError, OperationError):
        return None


def release(home: Home, number: int) -> Release:
    """What services of a generation are started from.

    Raises:
        OperationError: there is none of that number, or its files are gone.
    """
    one = get(home, number)
    code, table = folder(home) / "code" / one.code, folder(home) / str(number) / "appliance.toml"
    if not (code / "jimbot" / "__init__.py").exists() or not table.exists():
        raise OperationError(
            f"generation {number} is not whole", hint="Choose another: jimbot generations"
        )
    return Release(code, table, one.images)


def table_of(home: Home, number: int) -> Appliance:
    """The table of a generation.

    Raises:
        OperationError: as `release`, or this version does not read it.
    """
    try:
        return load(release(home, number).table)
    except TableError as error:
        raise OperationError(
            f"this version does not read the table of generation {number}: {error.message}",
            hint="Make a generation of this version: jimbot deploy",
        ) from error


def draft(
    home: Home,
    table: Path | None,
    *,
    runtime: str,
    images: Mapping[str, str],
    config: Mapping[str, str],
    schemas: Mapping[str, int],
) -> Generation:
    """The generation that a deployment would make of this package and table; writes nothing."""
    known = every(home)
    now = current(home)
    return Generation(
        number=max((each.number for each in known), default=0) + 1,
        made=datetime.now(UTC),
        version=__version__,
        code=_digest_of(_package()),
        table=hashlib.sha256(_text_of(table)).hexdigest()[:_DIGITS],
        runtime=runtime,
        images=dict(images),
        config=dict(config),
        schemas=dict(schemas),
        before=now.number if now else None,
    )


def write(home: Home, one: Generation, table: Path | None) -> None:
    """Put a draft down, whole or not at all.

    Raises:
        OperationError: it cannot be written.
    """
    top = folder(home)
    try:
        code = top / "code" / one.code
        if not code.exists():
            partial = code.with_name(f".{one.code}.{os.getpid()}")
            shutil.copytree(_package(), partial / "jimbot", ignore=_not_ours)
            _sync(partial)
            partial.rename(code)
        partial = top / f".{one.number}.{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        write_whole(partial / "appliance.toml", _text_of(table))
        write_whole(partial / "generation.json", one.model_dump_json(indent=2).encode())
        partial.rename(top / str(one.number))
    except OSError as error:
        raise OperationError(
            f"cannot write generation {one.number}: {error.strerror}",
            hint="Is the disk full? See: jimbot doctor",
        ) from error


def switch(home: Home, number: int) -> None:
    """Make a generation the current one: the moment at which a deployment has happened."""
    link = folder(home) / "current"
    new = link.with_name(f".current.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(str(number))
    new.replace(link)
    sync(folder(home))


def prune(home: Home, keep: int) -> list[int]:
    """Remove the oldest beyond `keep`, and copies of the package that nobody has any more."""
    known = every(home)
    now = current(home)
    gone = [each for each in known[:-keep] if now is None or each.number != now.number]
    for each in gone:
        shutil.rmtree(folder(home) / str(each.number))
    wanted = {each.code for each in known if each not in gone}
    for path in (folder(home) / "code").glob("*"):
        if path.name not in wanted:
            shutil.rmtree(path)
    for path in folder(home).glob(".*"):  # of deployments that were cut off
        shutil.rmtree(path, ignore_errors=True)
    return [each.number for each in gone]


def remove(home: Home, number: int) -> None:
    """Take back a generation that never became current."""
    now = current(home)
    if now is None or now.number != number:
        shutil.rmtree(folder(home) / str(number), ignore_errors=True)


def journal(home: Home) -> Journal | None:
    """Of the deployment that is under way, or was cut off."""
    try:
        return Journal.model_validate_json((folder(home) / "journal.json").read_bytes())
    except (OSError, ValidationError):
        return None


def note(home: Home, entry: Journal | None) -> None:
    """Write down how far a deployment is; None: it is over."""
    if entry is None:
        (folder(home) / "journal.json").unlink(missing_ok=True)
        sync(folder(home))
    else:
        write_whole(folder(home) / "journal.json", entry.model_dump_json().encode())


def _package() -> Path:
    return Path(jimbot.__file__).parent


def _text_of(table: Path | None) -> bytes:
    if table is not None:
        return table.read_bytes()
    return resources.files("jimbot.appliance").joinpath("appliance.toml").read_bytes()


def _not_ours(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.endswith(".pyc")}


def _digest_of(package: Path) -> str:
    """Of a folder's files, whatever their order and dates."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            total.update(f"{path.relative_to(package)}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:_DIGITS]


def _sync(top: Path) -> None:
    for path in top.rglob("*"):
        if path.is_file():
            sync(path)
