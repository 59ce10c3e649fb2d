"""A home with tokens, for tests of every door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jimbot.appliance import Home, load
from jimbot.appliance.security import Security
from jimbot.security import tokens
from jimbot.security.entrance import Entrance
from jimbot.security.roles import ROLES, Role


def security(**changes: Any) -> Security:
    """The table's, with changes."""
    known = load().security.model_dump() | {"tokens": ("secrets/tokens.json",)}
    return Security.model_validate(known | changes)


class Guarded:
    """A home, its entrance, and a token of each role."""

    def __init__(self, path: Path, **changes: Any) -> None:
        self.home = Home(path)
        self.home.prepare()
        self.security = security(**changes)
        self.tokens = {role: self.create(role, role) for role in ROLES}
        self.entrance = Entrance.of(self.security, self.home)

    def create(self, name: str, role: Role, **options: Any) -> str:
        return tokens.create(self.home, self.security, name, role, **options).text

    def revoke(self, name: str) -> None:
        tokens.revoke(self.home, self.security, name)
