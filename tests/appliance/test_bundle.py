"""A bundle is whole or refused, with the reason."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimbot.appliance import bundle
from jimbot.appliance.bundle import BundleError

PARTS = {"policy.npz": b"weights" * 100, "table.toml": b"version = 1\n"}


def repacked(change: Any, digest: str | None = None) -> bytes:
    """A bundle whose manifest somebody changed, with a comment that agrees."""
    data = io.BytesIO(bundle.pack(PARTS))
    with zipfile.ZipFile(data) as old:
        manifest = json.loads(old.read("manifest.json"))
        contents = {name: old.read(name) for name in PARTS}
    change(manifest)
    text = json.dumps(manifest).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        new.writestr("manifest.json", text)
        for name, content in contents.items():
            new.writestr(name, content)
        new.comment = (digest or hashlib.sha256(text).hexdigest()).encode()
    return out.getvalue()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "it.bundle"
    size = bundle.write(path, {**PARTS, "strategies.json": b"{}"})
    assert path.stat().st_size == size
    manifest, parts = bundle.read(path)
    assert parts == {**PARTS, "strategies.json": b"{}"}
    assert manifest.format == bundle.FORMAT
    assert [entry.name for entry in path.parent.iterdir()] == ["it.bundle"]


def test_the_same_parts_make_the_same_bytes() -> None:
    assert bundle.pack(PARTS) == bundle.pack(dict(reversed(PARTS.items())))


def test_nothing_is_missing_and_nothing_more_in_it() -> None:
    with pytest.raises(BundleError, match="without table"):
        bundle.pack({"policy.npz": b""})
    with pytest.raises(BundleError, match="no part 'x'"):
        bundle.pack({**PARTS, "x": b""})


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_seen(data: st.DataObject) -> None:
    whole = bundle.pack(PARTS)
    place = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << bit
    try:
        _, parts = bundle.unpack(bytes(damaged), "it")
    except BundleError:
        return
    assert parts == PARTS, "zip headers hold bytes that say nothing; what is read must be right"


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_cut_off_file_is_damaged(length: int) -> None:
    with pytest.raises(BundleError, match="is damaged"):
        bundle.unpack(bundle.pack(PARTS)[:length], "it")


def test_a_newer_format_is_refused_by_name() -> None:
    newer = repacked(lambda manifest: manifest.update(format=2, jimbot="9.9"))
    with pytest.raises(BundleError, match=r"it is of format 2, made by JimBot 9\.9") as refused:
        bundle.unpack(newer, "it")
    assert "Update JimBot" in refused.value.hint


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["parts"].pop("table.toml"), "lacks table.toml"),
        (lambda m: m["parts"]["table.toml"].update(sha256="0" * 64), "not what was written"),
        (lambda m: m["parts"]["table.toml"].update(bytes=3), "not what was written"),
        (lambda m: m["parts"]["table.toml"].update(bytes=1 << 40), "too large"),
        (lambda m: m.pop("parts"), "its manifest is odd"),
        (lambda m: m["parts"].update(other={"bytes": 1, "sha256": "0" * 64}), "no bundle"),
    ],
)
def test_a_manifest_that_lies_is_refused(change: Any, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        bundle.unpack(repacked(change), "it")


def test_a_manifest_that_was_changed_is_refused() -> None:
    with pytest.raises(BundleError, match="its manifest is not what was written"):
        bundle.unpack(repacked(lambda m: None, "0" * 64), "it")


def test_a_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * (1 << 24))
    with pytest.raises(BundleError, match="its manifest is not what was written"):
        bundle.unpack(out.getvalue(), "it")


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read"):
        bundle.read(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot write"):
        bundle.write(tmp_path / "file" / "it", PARTS)
