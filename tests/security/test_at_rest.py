"""What is written for keeping: nobody reads it without the key, and no secret is in it at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.operations import backup
from jimbot.operations.backup import runner
from jimbot.security import authority, tokens
from tests.operations.backup.conftest import (  # noqa: F401
    empty_repository,
    fill,
    give_password,
    repository,
)

CANARY = b"canary-5b1d0c7e-plain-text"


def everything(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_backup_shows_nothing_and_holds_no_secret(
    appliance: Appliance,
    home: Home,
    repository: Path,  # noqa: F811
) -> None:
    fill(home)
    give_password(home)
    tokens.create(home, appliance.security, "game", "player")
    authority.init(home.path / "secrets" / "tls", ["localhost"])
    (home.path / "notes").mkdir(exist_ok=True)
    (home.path / "notes" / "canary.txt").write_bytes(CANARY * 100)
    backup.run(appliance, home, "daily")
    assert CANARY not in everything(repository)
    there = runner.repository(appliance, home)
    (snapshot,) = there.snapshots()
    # It is in there, for whoever has the password; secrets are not.
    assert CANARY in there.read(snapshot.id, "notes/canary.txt")
    hidden = [
        path.read_bytes().strip()
        for path in (home.path / "secrets").rglob("*")
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) == 0o600
    ]
    assert len([one for one in hidden if one]) >= 4
    for name in there.files(snapshot.id):
        assert not name.startswith("secrets/")
        content = there.read(snapshot.id, name)
        for secret in filter(None, hidden):
            assert secret not in content, name


def test_a_checkpoint_for_a_recipient_shows_nothing(tmp_path: Path) -> None:
    pyrage = pytest.importorskip("pyrage")
    checkpoints = pytest.importorskip("jimbot.training.checkpoints")
    key = pyrage.x25519.Identity.generate()
    (identity := tmp_path / "identity").write_text(f"{key}\n")
    identity.chmod(0o600)
    seal = checkpoints.Seal(str(key.to_public()), identity)

    def write(folder: Path) -> None:
        (folder / "weights.bin").write_bytes(CANARY * 100)

    path = checkpoints.save(tmp_path / "kept", 1, write, keep=1, seal=seal)
    assert CANARY not in everything(tmp_path / "kept")
    with checkpoints.opened(path, seal) as plain:
        assert CANARY in everything(plain)
    assert CANARY not in everything(tmp_path / "kept")
