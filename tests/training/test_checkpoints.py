from __future__ import annotations

import json
import logging
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jimbot.training import checkpoints
from jimbot.training.errors import TrainingError


def save(directory: Path, steps: int, *, keep: int = 10, text: str = "weights") -> Path:
    def write(path: Path) -> None:
        (path / "inner").mkdir()
        (path / "inner" / "weights").write_text(text)
        (path / "progress.json").write_text(json.dumps({"steps": steps}))

    return checkpoints.save(directory, steps, write, keep=keep)


def test_the_newest_is_found(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path) is None
    assert checkpoints.newest(tmp_path / "nowhere") is None
    save(tmp_path, 900)
    newest = save(tmp_path, 10_000)
    assert checkpoints.newest(tmp_path) == newest
    assert (newest / "inner" / "weights").read_text() == "weights"


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    paths = [save(tmp_path, steps, keep=3) for steps in range(0, 5000, 1000)]
    assert sorted(tmp_path.iterdir()) == paths[-3:]


def spoil_a_file(path: Path) -> None:
    (path / "inner" / "weights").write_text("weighty")


def remove_a_file(path: Path) -> None:
    (path / "inner" / "weights").unlink()


def cut_a_file(path: Path) -> None:
    os.truncate(path / "inner" / "weights", 3)


def remove_the_manifest(path: Path) -> None:
    (path / checkpoints.MANIFEST).unlink()


def spoil_the_manifest(path: Path) -> None:
    (path / checkpoints.MANIFEST).write_text("[1, 2")


def make_the_manifest_something_else(path: Path) -> None:
    (path / checkpoints.MANIFEST).write_text("[1, 2]")


@pytest.mark.parametrize(
    "harm",
    [
        spoil_a_file,
        remove_a_file,
        cut_a_file,
        remove_the_manifest,
        spoil_the_manifest,
        make_the_manifest_something_else,
    ],
)
def test_a_damaged_one_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None]
) -> None:
    whole = save(tmp_path, 1000)
    harm(save(tmp_path, 2000))
    with caplog.at_level(logging.WARNING):
        assert checkpoints.newest(tmp_path) == whole
    assert "000000002000 is damaged" in caplog.text


def test_one_that_fails_to_be_written_leaves_nothing(tmp_path: Path) -> None:
    kept = save(tmp_path, 1000)

    def write(path: Path) -> None:
        (path / "half").write_text("…")
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match="No space left"):
        checkpoints.save(tmp_path, 2000, write, keep=1)
    assert list(tmp_path.iterdir()) == [kept]


def test_what_a_killed_writer_left_is_swept_and_never_read(tmp_path: Path) -> None:
    save(tmp_path, 1000)
    shutil.copytree(tmp_path / "000000001000", tmp_path / ".partial-123")
    newest = checkpoints.newest(tmp_path)
    assert newest is not None
    assert newest.name == "000000001000"
    checkpoints.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["000000001000"]


def test_the_same_steps_again_replace_the_old_one(tmp_path: Path) -> None:
    save(tmp_path, 1000)
    path = save(tmp_path, 1000, text="other")
    assert (path / "inner" / "weights").read_text() == "other"
    assert checkpoints.damage(path) == ""


WRITER = """
import itertools, os, sys
from pathlib import Path
from jimbot.training import checkpoints

directory, first = Path(sys.argv[1]), int(sys.argv[2])
checkpoints.sweep(directory)
print("ready", flush=True)
for steps in itertools.count(first):
    def write(path):
        for name in ("a", "b", "c"):
            (path / name).write_bytes(steps.to_bytes(8, "big") + os.urandom(200_000))
    checkpoints.save(directory, steps, write, keep=3)
    print(steps, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_the_last_whole_one(tmp_path: Path) -> None:
    rng = random.Random(4)
    last = 0
    interrupted = 0
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(last + 1)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdout.readline()
        time.sleep(rng.random() * 0.03)
        process.kill()
        told = [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        interrupted += any(tmp_path.glob(".partial-*"))
        newest = checkpoints.newest(tmp_path)
        assert newest is not None
        assert checkpoints.damage(newest) == ""
        last = int(newest.name)
        assert last >= max(told, default=0)  # what was told of is there
        assert (newest / "c").read_bytes()[:8] == last.to_bytes(8, "big")
        checkpoints.sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) <= 4
    assert interrupted  # or it was never killed in the middle of one


@pytest.fixture
def identity(tmp_path: Path) -> tuple[str, Path]:
    """A recipient, and the file with its private key."""
    pyrage = pytest.importorskip("pyrage")
    key = pyrage.x25519.Identity.generate()
    file = tmp_path / "identity"
    file.write_text(f"# created by a test\n{key}\n")
    file.chmod(0o600)
    return str(key.to_public()), file


def seal_up(directory: Path, identity: tuple[str, Path]) -> tuple[Path, checkpoints.Seal]:
    seal = checkpoints.Seal(*identity)

    def write(path: Path) -> None:
        (path / "inner").mkdir()
        (path / "inner" / "weights").write_text("secret weights")

    return checkpoints.save(directory, 1000, write, keep=2, seal=seal), seal


def test_one_for_a_recipient_tells_others_nothing(
    tmp_path: Path, identity: tuple[str, Path]
) -> None:
    path, seal = seal_up(tmp_path / "kept", identity)
    assert sorted(file.name for file in path.iterdir()) == [
        checkpoints.MANIFEST,
        checkpoints.SEALED,
    ]
    assert b"secret weights" not in (path / checkpoints.SEALED).read_bytes()
    assert checkpoints.newest(path.parent) == path  # proved without the key
    with checkpoints.opened(path, seal) as plain:
        assert (plain / "inner" / "weights").read_text() == "secret weights"
        assert stat.S_IMODE(plain.stat().st_mode) == 0o700
    assert not plain.exists()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_a_killed_reader_has_unpacked_is_swept(
    tmp_path: Path, identity: tuple[str, Path]
) -> None:
    path, seal = seal_up(tmp_path / "kept", identity)
    with checkpoints.opened(path, seal) as plain:
        checkpoints.sweep(path.parent)
        assert not plain.exists()


def test_one_that_is_not_encrypted_is_opened_as_it_is(tmp_path: Path) -> None:
    path = save(tmp_path, 1000)
    with checkpoints.opened(path) as plain:
        assert plain == path


def test_another_key_does_not_open_it(tmp_path: Path, identity: tuple[str, Path]) -> None:
    pyrage = pytest.importorskip("pyrage")
    path, _ = seal_up(tmp_path / "kept", identity)
    other = tmp_path / "other"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    other.chmod(0o600)
    for seal, reason in (
        (checkpoints.Seal(identity=other), "cannot decrypt"),
        (checkpoints.Seal(identity=tmp_path / "nowhere"), "cannot read"),
        (checkpoints.Seal(), "no identity"),
        (None, "no identity"),
    ):
        with pytest.raises(TrainingError, match=reason), checkpoints.opened(path, seal):
            pass
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, identity: tuple[str, Path]) -> None:
    path, seal = seal_up(tmp_path / "kept", identity)
    identity[1].chmod(0o644)
    with pytest.raises(TrainingError, match="may read the secret"), checkpoints.opened(path, seal):
        pass


def test_a_recipient_that_is_none_leaves_nothing_half_done(tmp_path: Path) -> None:
    pytest.importorskip("pyrage")
    with pytest.raises(TrainingError, match="no age public key"):
        seal_up(tmp_path / "kept", ("age1nonsense", tmp_path))
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_spoiled_one_is_passed_over(tmp_path: Path, identity: tuple[str, Path]) -> None:
    path, _ = seal_up(tmp_path / "kept", identity)
    sealed = path / checkpoints.SEALED
    sealed.write_bytes(sealed.read_bytes()[:-1] + b"x")
    assert checkpoints.newest(path.parent) is None
