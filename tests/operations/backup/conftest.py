"""A home with something of everything in it, and a repository for its backups."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from jimbot.appliance import Home
from jimbot.appliance.backup import Place
from jimbot.events import Event, open_log
from jimbot.metrics import open_series
from jimbot.metrics.projection import fold
from jimbot.operations.backup.restic import Repository
from tests.metrics.events import START, game

PASSWORD = "only-for-tests"


@pytest.fixture(scope="session")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with nothing in it, to be copied: making one takes restic seconds."""
    if shutil.which("restic") is None:
        pytest.skip("restic is not installed: apt-get install restic")
    return _repository(tmp_path_factory.getbasetemp() / "restic")


@functools.cache
def _repository(directory: Path) -> Path:
    # Cached, since a fixture that others import is made for each of them.
    directory.mkdir()
    password = directory / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    Repository(Place(str(directory / "repository"), password), directory / "cache").create()
    _hurry(directory / "repository")
    return directory / "repository"


def _hurry(repository: Path) -> None:
    """Wrap the repository's key anew with a cheap derivation: restic's takes half a second a call.

    The format is restic's: scrypt gives a key for AES-256-CTR and one for Poly1305-AES.
    """
    (file,) = (repository / "keys").iterdir()
    key = json.loads(file.read_bytes())

    def derive() -> tuple[bytes, bytes, bytes]:
        salt = base64.b64decode(key["salt"])
        derived = hashlib.scrypt(
            PASSWORD.encode(),
            salt=salt,
            n=key["N"],
            r=key["r"],
            p=key["p"],
            maxmem=1 << 28,
            dklen=64,
        )
        return derived[:32], derived[32:48], derived[48:]

    def crypt(secret: bytes, nonce: bytes, text: bytes) -> bytes:
        return Cipher(algorithms.AES(secret), modes.CTR(nonce)).encryptor().update(text)

    wrapped = base64.b64decode(key["data"])
    master = crypt(derive()[0], wrapped[:16], wrapped[16:-16])
    json.loads(master)
    key["N"], nonce = 2, os.urandom(16)
    secret, k, r = derive()
    hidden = crypt(secret, nonce, master)
    pad = Cipher(algorithms.AES(k), modes.ECB()).encryptor().update(nonce)
    key["data"] = base64.b64encode(nonce + hidden + Poly1305.generate_tag(r + pad, hidden)).decode()
    text = json.dumps(key).encode()
    file.unlink()
    (repository / "keys" / hashlib.sha256(text).hexdigest()).write_bytes(text)


@pytest.fixture
def repository(empty_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository that $JIMBOT_BACKUP names in this test."""
    path = tmp_path / "repository"
    shutil.copytree(empty_repository, path)
    monkeypatch.setenv("JIMBOT_BACKUP", str(path))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return path


def give_password(home: Home, text: str = PASSWORD) -> Path:
    path = home.path / "secrets" / "backup"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def fill(home: Home, games: range = range(20)) -> None:
    """Games in the log and in the series, a checkpoint, a policy, notes, a secret."""
    log = open_log(home)
    log.append([("s", Event(type="HEARTBEAT", source="x", timestamp=START)) for _ in games])
    log.append([(r.stream, r.event) for r in (game(n, won=n % 4 == 0) for n in games)])
    series = open_series(home)
    fold(series, log.read(types=["GAME_FINISHED"]))
    series.close()
    log.close()
    checkpoint = home.checkpoints / f"{games.stop:012d}"
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "weights").write_bytes(bytes(games) * 1000)
    (home.path / "policy.npz").write_bytes(b"weights")
    (home.path / "notes").mkdir(exist_ok=True)
    (home.path / "notes" / "notes.jsonl").write_text('{"whole": 1}\n{"half')
    (home.path / "certs").mkdir(exist_ok=True)
    (home.path / "certs" / "mcp.key").write_text("private")
    (home.path / "certs" / "mcp.crt").write_text("public")


@pytest.fixture
def filled(home: Home, repository: Path) -> Home:
    fill(home)
    give_password(home)
    return home


@pytest.fixture
def contents() -> Callable[[Home], dict[str, object]]:
    """What of a home a backup has to bring back, ready to be compared."""

    def read(home: Home) -> dict[str, object]:
        log, series = open_log(home, read_only=True), open_series(home, read_only=True)
        try:
            return {
                "events": [(each.position, each.event.event_id) for each in log.read(limit=10**6)],
                "position": series.position(),
                "checkpoints": {
                    str(path.relative_to(home.path)): path.read_bytes()
                    for path in home.checkpoints.rglob("*")
                    if path.is_file()
                },
                "policy": (home.path / "policy.npz").read_bytes(),
            }
        finally:
            log.close()
            series.close()

    return read
