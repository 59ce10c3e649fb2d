"""By which name JimBot goes to a store's server."""

from __future__ import annotations

from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.appliance.stores import Engine, SecretError


def put(home: Home, name: str, text: str) -> str:
    path: Path = home.path / name
    path.write_text(text)
    path.chmod(0o600)
    return name


def test_readers_go_by_a_name_of_their_own(home: Home) -> None:
    engine = Engine(
        engine="server",
        user="writer",
        password=put(home, "w", "secret-w\n"),
        reader="looker",
        reader_password=put(home, "r", "secret-r\n"),
    )
    assert engine.login(home, read_only=False) == ("writer", "secret-w")
    assert engine.login(home, read_only=True) == ("looker", "secret-r")


def test_without_one_they_share_the_writers(home: Home) -> None:
    engine = Engine(engine="server", user="writer", password=put(home, "w", "secret-w"))
    assert engine.login(home, read_only=True) == ("writer", "secret-w")
    assert Engine().login(home, read_only=True) == ("", "")


def test_a_password_that_cannot_be_read_is_named(home: Home) -> None:
    engine = Engine(reader="looker", reader_password="none")
    with pytest.raises(SecretError, match="cannot read the password"):
        engine.login(home, read_only=True)
