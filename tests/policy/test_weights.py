from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimbot.policy import layout, weights
from jimbot.policy.weights import FORMAT, Header, PolicyFileError, pack, read, unpack
from tests.policy.networks import exported, untrained

HEADER = Header(policy="ppo-700", progress={"run": "test", "steps": 700})
SMALL = pack(untrained(width=4, embedding=2), HEADER)


def test_what_is_packed_comes_back() -> None:
    before = untrained()
    after, header = unpack(pack(before, HEADER), "it")
    assert header == HEADER
    assert after.keys() == before.keys()
    for name, array in before.items():
        assert (after[name] == array).all(), name


def test_the_same_weights_give_the_same_bytes() -> None:
    assert pack(untrained(), HEADER) == pack(untrained(), HEADER)
    assert pack(untrained(), HEADER) != pack(untrained(1), HEADER)


def test_numpy_alone_opens_it() -> None:
    with np.load(io.BytesIO(SMALL), allow_pickle=False) as archive:
        told = json.loads(archive["header"].tobytes())
        assert archive["score.weight"].dtype == np.float32
    assert told["format"] == FORMAT
    assert told["progress"]["steps"] == 700
    assert told["sizes"]["rows"] == layout.ROWS


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_changed_byte_is_damage(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(SMALL) - 1))
    changed = bytearray(SMALL)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PolicyFileError, match=r"damaged.*jimbot export"):
        unpack(bytes(changed), "it")


@pytest.mark.parametrize(
    "content", [b"", b"PK", SMALL[:-1], SMALL[:1000], SMALL + b"\n", b"x" * 99]
)
def test_what_is_cut_or_something_else_is_damage(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    path.write_bytes(content)
    with pytest.raises(PolicyFileError, match="is damaged, or no exported policy"):
        read(path)


def test_a_newer_format_is_refused_before_anything_else() -> None:
    newer = replace(HEADER, format=FORMAT + 1, jimbot="9.0.0", layout="other")
    with pytest.raises(PolicyFileError, match=r"format 2.*9\.0\.0.*Update JimBot"):
        unpack(pack({"unheard.of": np.zeros(3, np.float32)}, newer), "it")


def test_another_layout_is_refused() -> None:
    with pytest.raises(PolicyFileError, match=r"another layout.*layout 0123.*Train with this"):
        unpack(pack(untrained(), replace(HEADER, layout="0123")), "it")


def test_the_layouts_digest_tells_what_things_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only how many there are: two columns that change places make another one."""
    before = weights.layout_digest()
    assert before == weights.layout_digest()
    with monkeypatch.context() as patch:
        patch.setattr(weights, "MEANING", weights.MEANING + 1)
        assert weights.layout_digest.__wrapped__() != before
    swapped = (layout.COLUMNS[1], layout.COLUMNS[0], *layout.COLUMNS[2:])
    monkeypatch.setattr(layout, "COLUMNS", swapped)
    assert weights.layout_digest.__wrapped__() != before


def other_shape() -> Any:
    changed = untrained()
    changed["score.bias"] = np.zeros(2, np.float32)
    return changed


def other_type() -> Any:
    return {name: array.astype(np.float64) for name, array in untrained().items()}


def one_missing() -> Any:
    changed = untrained()
    del changed["context_hidden.bias"]
    return changed


def one_more() -> Any:
    return untrained() | {"extra.weight": np.zeros(2, np.float32)}


def diverged() -> Any:
    changed = untrained()
    changed["row_score.weight"][0, 0] = np.nan
    return changed


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (other_shape, "score.bias is float32 \\(2,\\)"),
        (other_type, "float64"),
        (one_missing, "context_hidden.bias"),
        (one_more, "extra.weight"),
        (diverged, "row_score.weight holds values that are no numbers"),
        (dict, "another network"),
    ],
)
def test_weights_that_do_not_fit_are_refused(make: Any, reason: str) -> None:
    with pytest.raises(PolicyFileError, match=reason):
        unpack(pack(make(), HEADER), "it")


def test_a_pickle_inside_is_never_run() -> None:
    bad: Any = untrained() | {"score.bias": np.array([print], dtype=object)}
    with pytest.raises(PolicyFileError, match="no exported policy"):
        unpack(pack(bad, HEADER), "it")


def test_none_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match=r"no trained policy at .*jimbot export"):
        read(tmp_path / "policy.npz")


def test_one_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(PolicyFileError, match="too large"):
        read(path)


def test_writing_replaces_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported(tmp_path / "policy.npz")
    weights.write(path, SMALL)
    assert path.read_bytes() == SMALL

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PolicyFileError, match="No space left on device"):
        weights.write(path, b"other")
    assert path.read_bytes() == SMALL
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PolicyFileError, match=r"cannot write .*--out FILE"):
        weights.write(tmp_path / "file" / "policy.npz", SMALL)
