from __future__ import annotations

from pathlib import Path

import pytest

from jimbot.security import secrets
from jimbot.security.errors import SecretError

CANARY = "canary-3f9c2"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    return path


def test_a_file_of_the_owner_is_read(file: Path) -> None:
    assert secrets.read(file) == CANARY
    file.chmod(0o400)
    assert secrets.read(file) == CANARY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777])
def test_a_file_that_others_may_open_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(SecretError, match="others than its owner") as refused:
        secrets.read(file)
    assert refused.value.hint == f"chmod 600 {file}"


def test_a_store_path_is_refused_also_behind_a_link(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    (store / "abc-secret").mkdir(parents=True)
    inside = store / "abc-secret" / "key"
    file.rename(inside)
    link = tmp_path / "link"
    link.symlink_to(inside)
    monkeypatch.setattr(secrets, "STORES", (store,))
    for path in (inside, link):
        with pytest.raises(SecretError, match="everybody reads"):
            secrets.read(path)


def test_what_a_manager_of_secrets_mounted_is_its_matter(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o444)
    monkeypatch.setattr(secrets, "MANAGED", tmp_path)
    assert secrets.read(file) == CANARY


def test_no_error_tells_the_secret(file: Path, tmp_path: Path) -> None:
    (long := tmp_path / "long").write_bytes(CANARY.encode() * 10_000)
    (binary := tmp_path / "binary").write_bytes(CANARY.encode() + b"\xff")
    for path in (long, binary):
        path.chmod(0o600)
    file.chmod(0o644)
    for path in (long, binary, file, tmp_path, tmp_path / "missing", Path("/dev/null")):
        with pytest.raises(SecretError) as refused:
            secrets.read(path)
        assert CANARY not in str(refused.value)
        assert CANARY not in repr(refused.value.__context__)


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SecretError, match="is no file"):
        secrets.read(tmp_path / "pipe")
