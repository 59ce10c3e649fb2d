"""The file that a learned policy is kept in: a plain .npz with a header, proved before it is used.

It holds the network's arrays, float32, under their names in the training module, and `header`, a
JSON object as bytes. The archive's comment, the last 64 bytes of the file, is the SHA-256 of all
that comes before it, in hex; that place stays the same in every format. The same weights and
header always give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from jimbot import __version__
from jimbot.errors import JimbotError
from jimbot.files import write_whole
from jimbot.game import catalogue
from jimbot.game.hands import HAND_NAMES
from jimbot.policy import layout

Weights = dict[str, NDArray[np.float32]]

FORMAT: Final = 1
# Raise it when a number of an observation is worked out otherwise under the same name (`rows`).
MEANING: Final = 1
# In the home, where `jimbot export` puts it and the policy "latest" looks for it.
FILE_NAME: Final = "policy.npz"

_HEADER: Final = "header"
_DIGEST_SIZE: Final = 64
_MAX_BYTES: Final = 256 * 2**20
_AGAIN: Final = "Export it again: jimbot export"
_SIZES: Final = {
    "rows": layout.ROWS,
    "width": layout.WIDTH,
    "items": layout.ITEMS,
    "owned": layout.OWNED,
    "state": layout.STATE_SIZE,
}


class PolicyFileError(JimbotError):
    """There is no exported policy here, or none that can be used."""


@cache
def layout_digest() -> str:
    """A digest of what each row, column, item and place of the state means, by name.

    Another one means that trained weights make no sense here, even where the sizes are equal.
    """
    meaning = [
        MEANING,
        _SIZES,
        [tuple(block) for block in layout.BLOCKS.values()],
        layout.COLUMNS,
        list(layout.STATE.items()),
        HAND_NAMES,
        layout.KEEP,
        catalogue.ENHANCEMENTS,
        *(
            [entry.key for entry in kind]
            for kind in (
                catalogue.JOKERS,
                catalogue.CONSUMABLES,
                catalogue.VOUCHERS,
                catalogue.PACKS,
                catalogue.TAGS,
                catalogue.BLINDS,
            )
        ),
    ]
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Header:
    """What is known of the weights.

    Attributes:
        policy: the name that stands in the log with every game it plays.
        progress: how far training was: run, iteration, steps, games.
        layout: the digest of the layout that it was trained on, see `layout_digest`.
        sizes: that layout's sizes, for people.
    """

    policy: str
    progress: dict[str, Any] = field(default_factory=dict)
    layout: str = field(default_factory=layout_digest)
    sizes: dict[str, int] = field(default_factory=lambda: dict(_SIZES))
    jimbot: str = __version__
    format: int = FORMAT


def shapes(width: int, embedding: int) -> dict[str, tuple[int, ...]]:
    """The arrays of a network of this size, by name, as torch keeps them: (out, in)."""
    blocks = len(layout.BLOCKS)
    return {
        "items.weight": (layout.ITEMS, embedding),
        "owned_items.weight": (layout.ITEMS, embedding),
        "blocks.weight": (blocks, embedding),
        "block_bias.weight": (blocks, 1),
        "row_encoder.weight": (width, layout.WIDTH + 2 * embedding),
        "row_encoder.bias": (width,),
        "context_encoder.weight": (2 * width, layout.STATE_SIZE + embedding + width),
        "context_encoder.bias": (2 * width,),
        "context_hidden.weight": (2 * width, 2 * width),
        "context_hidden.bias": (2 * width,),
        "row_score.weight": (width, width),
        "row_score.bias": (width,),
        "context_score.weight": (width, 2 * width),
        "score.weight": (1, width),
        "score.bias": (1,),
        "value.weight": (1, 2 * width),
        "value.bias": (1,),
    }


def flaw(weights: Weights) -> str:
    """Why these are not the weights of our network; empty when they are."""
    try:
        (width,) = weights["row_encoder.bias"].shape
        _, embedding = weights["items.weight"].shape
    except (KeyError, ValueError):
        return "they are of another network"
    wanted = shapes(width, embedding)
    if odd := sorted(wanted.keys() ^ weights.keys()):
        return f"they are of another network ({odd[0]})"
    for name, shape in wanted.items():
        array = weights[name]
        if array.shape != shape or array.dtype != np.float32:
            return f"{name} is {array.dtype} {array.shape}, not float32 {shape}"
        if not np.isfinite(array).all():
            return f"{name} holds values that are no numbers"
    return ""


def pack(weights: Weights, header: Header) -> bytes:
    """The file's content."""
    text = json.dumps(asdict(header), sort_keys=True).encode()
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {_HEADER: np.frombuffer(text, np.uint8)} | dict(
        sorted(weights.items())
    )
    np.savez(buffer, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = bytes(_DIGEST_SIZE)
    body = buffer.getvalue()[:-_DIGEST_SIZE]
    return body + hashlib.sha256(body).hexdigest().encode()


def unpack(data: bytes, name: str) -> tuple[Weights, Header]:
    """What `pack` packed.

    Args:
        name: what an error calls it.

    Raises:
        PolicyFileError: it is damaged, of a newer format, or made for another layout.
    """
    body, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise PolicyFileError(
            f"{name} is damaged, or no exported policy: its checksum is wrong", hint=_AGAIN
        )
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            told = json.loads(archive[_HEADER].tobytes())
            _refuse_others(told, name)
            header = Header(**{key: told[key] for key in Header.__dataclass_fields__})
            weights = {key: archive[key] for key in archive.files if key != _HEADER}
    except (ValueError, KeyError, TypeError, OSError, MemoryError, zipfile.BadZipFile) as error:
        raise PolicyFileError(f"{name} is no exported policy: {error}", hint=_AGAIN) from error
    if problem := flaw(weights):
        raise PolicyFileError(f"the weights in {name} cannot be used: {problem}", hint=_AGAIN)
    return weights, header


def _refuse_others(told: dict[str, Any], name: str) -> None:
    if told["format"] > FORMAT:
        raise PolicyFileError(
            f"{name} is of format {told['format']}, written by JimBot {told['jimbot']}; this is "
            f"{__version__}, which reads up to {FORMAT}",
            hint="Update JimBot, or export again with this one: jimbot export",
        )
    if told["layout"] != layout_digest():
        raise PolicyFileError(
            f"{name} was trained on another layout of actions and observations (JimBot "
            f"{told['jimbot']}, layout {told['layout']}; this is {__version__}, {layout_digest()})",
            hint="Train with this version (jimbot up), then: jimbot export",
        )


def write(path: Path, data: bytes) -> None:
    """Put a whole file in place, or leave what was there.

    Raises:
        PolicyFileError: it cannot be written.
    """
    try:
        write_whole(path, data)
    except OSError as error:
        raise PolicyFileError(
            f"cannot write {path}: {error.strerror}",
            hint="Make room there, or name another place: jimbot export --out FILE",
        ) from error


def read(path: Path) -> tuple[Weights, Header]:
    """The weights of a file and what is known of them.

    Raises:
        PolicyFileError: there is none, or none that can be used; says why and what to do.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PolicyFileError(f"{path} is too large to be an exported policy", hint=_AGAIN)
        data = path.read_bytes()
    except FileNotFoundError:
        raise PolicyFileError(
            f"there is no trained policy at {path}",
            hint="Train one (jimbot up), then: jimbot export",
        ) from None
    except OSError as error:
        raise PolicyFileError(f"cannot read {path}: {error.strerror}", hint=_AGAIN) from error
    return unpack(data, str(path))
