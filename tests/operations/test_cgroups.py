"""Control groups of both versions, on folders that stand in for the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from jimbot.operations.cgroups import CannotLimit, Tree


def _unified(root: Path) -> tuple[Path, Path]:
    """Folders as the kernel of a systemd machine shows them; the files that it would make."""
    (root / "cgroup.controllers").write_text("cpuset memory")
    ours = root / "user.slice"
    for name in ("", "jimbot", "jimbot/training", "jimbot/training/trainer"):
        (ours / name).mkdir(parents=True, exist_ok=True)
        (ours / name / "cgroup.subtree_control").write_text("")
    own = root / "self"
    own.write_text("0::/user.slice\n")
    return ours, own


def test_version_2_hands_the_controller_down_and_limits(tmp_path: Path) -> None:
    ours, own = _unified(tmp_path)
    tree = Tree("memory", "jimbot", root=tmp_path, own=own)
    tree.limit("training", memory_mb=8192)
    tree.limit("training/trainer", memory_mb=3072)
    assert (ours / "jimbot/training/memory.max").read_text() == str(8192 << 20)
    assert (ours / "jimbot/training/trainer/memory.max").read_text() == str(3072 << 20)
    assert (ours / "jimbot/training/trainer/memory.swap.max").read_text() == "0"
    for name in ("", "jimbot", "jimbot/training"):
        assert (ours / name / "cgroup.subtree_control").read_text() == "+memory"
    tree.put("training/trainer", 4711)
    assert (ours / "jimbot/training/trainer/cgroup.procs").read_text() == "4711"
    (ours / "jimbot/training/trainer/memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert tree.kills("training/trainer") == 2


def test_version_1_has_a_tree_a_controller(tmp_path: Path) -> None:
    for controller in ("memory", "cpuset"):
        (tmp_path / controller / "box").mkdir(parents=True)
    own = tmp_path / "self"
    own.write_text("4:memory:/box\n3:cpuset:/\n1:cpu,cpuacct:/\n")
    memory = Tree("memory", "jimbot", root=tmp_path, own=own)
    memory.limit("api/mcp", memory_mb=512)
    there = tmp_path / "memory/box/jimbot/api/mcp"
    assert (there / "memory.limit_in_bytes").read_text() == str(512 << 20)
    (there / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert memory.kills("api/mcp") == 1

    for name in ("", "jimbot", "jimbot/api"):  # the kernel makes these files
        folder = tmp_path / "cpuset" / name
        folder.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            (folder / file).write_text("0-7" if not name and file.endswith("cpus") else "0")
    cpuset = Tree("cpuset", "jimbot", root=tmp_path, own=own)
    cpuset.limit("api", cores=frozenset({3, 2}))
    assert (tmp_path / "cpuset/jimbot/api/cpuset.cpus").read_text() == "2,3"


def test_what_cannot_be_limited_says_why(tmp_path: Path) -> None:
    own = tmp_path / "self"
    with pytest.raises(CannotLimit, match="cannot be read"):
        Tree("memory", "jimbot", root=tmp_path, own=own)
    own.write_text("1:cpu:/\n")
    with pytest.raises(CannotLimit, match="no memory control groups"):
        Tree("memory", "jimbot", root=tmp_path, own=own)
    own.write_text("1:memory:/\n")
    (tmp_path / "memory").write_text("")  # a file in the place of the folder
    with pytest.raises(CannotLimit, match="Not a directory"):
        Tree("memory", "jimbot", root=tmp_path, own=own)


def test_folders_are_removed_again(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    own = tmp_path / "self"
    own.write_text("1:memory:/\n")
    tree = Tree("memory", "jimbot", root=tmp_path, own=own)
    tree.limit("api/mcp")  # without a limit, so that the folders stay empty
    assert (tmp_path / "memory/jimbot/api/mcp").is_dir()
    tree.remove()
    assert list((tmp_path / "memory").iterdir()) == []
