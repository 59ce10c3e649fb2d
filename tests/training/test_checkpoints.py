from __future__ import annotations

import json
import logging
import os
import shutil
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
