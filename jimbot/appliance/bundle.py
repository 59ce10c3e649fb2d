"""A bundle: all that `jimbot edge` needs in one file, proved before it is used.

A zip archive with `manifest.json` (format, JimBot's version, size and SHA-256 of each part) and the
parts. The archive's comment is the SHA-256 of the manifest, so nothing in it can change unnoticed.
The same parts always give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jimbot import __version__
from jimbot.errors import JimbotError
from jimbot.files import write_whole

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
# The parts that every bundle has, and those that it may have.
POLICY: Final = "policy.npz"
TABLE: Final = "table.toml"
STRATEGIES: Final = "strategies.json"

_NEEDED: Final = (POLICY, TABLE)
_KNOWN: Final = frozenset((*_NEEDED, STRATEGIES))
_MOST_BYTES: Final = 256 * 2**20
_MOST_MANIFEST: Final = 64 * 2**10
_AGAIN: Final = "Make it again on the workstation: jimbot bundle"


class BundleError(JimbotError):
    """There is no bundle here, or none that can be used."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What is in a bundle."""

    model_config = ConfigDict(frozen=True)

    format: Annotated[int, Field(ge=1)]
    jimbot: str
    parts: dict[str, Part]


def pack(parts: Mapping[str, bytes]) -> bytes:
    """The bytes of a bundle of these parts.

    Raises:
        BundleError: a part is missing, or not one that bundles have.
    """
    if missing := [name for name in _NEEDED if name not in parts]:
        raise BundleError(f"a bundle without {missing[0]} is of no use")
    if odd := sorted(parts.keys() - _KNOWN):
        raise BundleError(f"bundles have no part {odd[0]!r}")
    manifest = Manifest(
        format=FORMAT,
        jimbot=__version__,
        parts={
            name: Part(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
            for name, data in sorted(parts.items())
        },
    )
    text = manifest.model_dump_json(indent=1).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [(MANIFEST, text), *sorted(parts.items())]:
            entry = zipfile.ZipInfo(name)  # of 1980, so that the bytes are the same tomorrow
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
        archive.comment = hashlib.sha256(text).hexdigest().encode()
    return buffer.getvalue()


def unpack(data: bytes, name: str) -> tuple[Manifest, dict[str, bytes]]:
    """What `pack` packed.

    Args:
        name: what an error calls it.

    Raises:
        BundleError: it is damaged, no bundle, or of a newer format; says which.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            text = _member(archive, MANIFEST, _MOST_MANIFEST)
            if hashlib.sha256(text).hexdigest().encode() != archive.comment:
                raise BundleError(
                    f"{name} is damaged: its manifest is not what was written", hint=_AGAIN
                )
            manifest = Manifest.model_validate_json(text)
            if manifest.format > FORMAT:
                raise BundleError(
                    f"{name} is of format {manifest.format}, made by JimBot {manifest.jimbot};"
                    f" this is {__version__}, which reads up to {FORMAT}",
                    hint="Update JimBot here, or make the bundle with this version",
                )
            for needed in _NEEDED:
                if needed not in manifest.parts:
                    raise BundleError(f"{name} lacks {needed}", hint=_AGAIN)
            if sum(part.bytes for part in manifest.parts.values()) > _MOST_BYTES:
                raise BundleError(f"{name} is too large to be a bundle", hint=_AGAIN)
            found = {}
            for part_name, part in manifest.parts.items():
                content = _member(archive, part_name, part.bytes)
                if len(content) != part.bytes or hashlib.sha256(content).hexdigest() != part.sha256:
                    raise BundleError(
                        f"{name} is damaged: {part_name} is not what was written", hint=_AGAIN
                    )
                found[part_name] = content
            return manifest, found
    except BundleError:
        raise
    # zipfile tells of damage in many tongues; zlib.error derives from Exception alone.
    except ValidationError as error:
        raise BundleError(f"{name} is no bundle: its manifest is odd", hint=_AGAIN) from error
    except Exception as error:
        raise BundleError(f"{name} is damaged, or no bundle: {error}", hint=_AGAIN) from error


def write(path: Path, parts: Mapping[str, bytes]) -> int:
    """Put a bundle in place as a whole; returns its size in bytes.

    Raises:
        BundleError: it cannot be written.
    """
    data = pack(parts)
    try:
        write_whole(path, data)
    except OSError as error:
        raise BundleError(
            f"cannot write {path}: {error.strerror}", hint="Make room, or name another place"
        ) from error
    return len(data)


def read(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The parts of a bundle, by name.

    Raises:
        BundleError: there is none, or none that can be used; says why and what to do.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BundleError(f"{path} is too large to be a bundle", hint=_AGAIN)
        return unpack(path.read_bytes(), str(path))
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", hint=_AGAIN) from error


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member's content, of which no more is unpacked than it should have."""
    with archive.open(name) as file:
        return file.read(most + 1)
