"""Tokens: who has one, what it may do, until when. Only their digests are kept.

A token is 256 random bits, so SHA-256 is the right hash: there is nothing to guess that a slow one
would protect, and a check at every request has to be quick. Comparing takes the same time whatever
differs.

Tokens are on once one of the files exists; then who has none gets nowhere, also when the files are
damaged or gone. A change is seen at the next check.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jimbot.appliance.home import Home
from jimbot.appliance.security import Security
from jimbot.files import write_whole
from jimbot.security import secrets as files
from jimbot.security.errors import SecretError, TokenError
from jimbot.security.roles import GRANTED, Role, Scope

_log = logging.getLogger(__name__)

LONGEST: Final = 256
_TOKEN = re.compile(r"jbt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NOBODY: Final = "0" * 64
_OLD: Final = "mcp-tokens"
_SERVICE: Final = "jimbot's own"
_SERVICE_FILE: Final = "tokens.service"
# Where a cluster hands it over (jimbot/appliance/render/kubernetes.py).
_GIVEN: Final = Path("/run/secrets/jimbot-own/token")
# What our own services and commands need among each other.
_SERVICE_SCOPES: Final[tuple[Scope, ...]] = (
    "events:write", "decisions", "figures:read", "alerts:write", "keys:write",
)  # fmt: skip

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Time = Annotated[float, Field(ge=0, lt=1e12, description="s since 1970", allow_inf_nan=False)]


class Token(BaseModel):
    """What is kept of a token: never itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    name: Name
    role: Role
    scopes: Annotated[
        tuple[Scope, ...] | None, Field(description="fewer than the role's; all of them when null")
    ] = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    created: Time
    expires: Time | None = None

    @property
    def granted(self) -> frozenset[Scope]:
        """What it may do: never more than its role."""
        return GRANTED[self.role] & frozenset(
            GRANTED[self.role] if self.scopes is None else self.scopes
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=1)]
    tokens: Annotated[list[Token], Field(max_length=10_000)]


class Grant(NamedTuple):
    """Who somebody is, and what he may do."""

    id: str
    name: str
    role: Role
    scopes: frozenset[Scope]

    @property
    def subject(self) -> str:
        return f"token:{self.id} ({self.name})"


class TokenStore:
    """The tokens that hold now, read again whenever a file changes."""

    def __init__(self, paths: Sequence[Path], clock: Callable[[], float] = time.time) -> None:
        self._paths = tuple(paths)
        self._clock = clock
        self._seen: tuple[tuple[int, ...] | None, ...] | None = None
        self._tokens: dict[str, Token] = {}
        self._on = False
        self._look()

    @classmethod
    def of(cls, security: Security, home: Home) -> TokenStore:
        """The store of a home.

        Raises:
            TokenError: it still has the file of digests that tokens were before they had roles.
        """
        old = home.path / "secrets" / _OLD
        if old.exists():
            raise TokenError(
                f"{old} is not read any more: tokens have roles now",
                hint=f"Make new ones with `jimbot tokens create`, and remove {old}",
            )
        return cls(security.token_files(home))

    @property
    def on(self) -> bool:
        """Whether tokens are asked for. Once they are, they are until the process ends."""
        self._look()
        return self._on

    def check(self, text: str | None) -> Grant | None:
        """Who shows this token; None when it is unknown, revoked or expired."""
        self._look()
        found = _TOKEN.fullmatch(text) if text and len(text) <= LONGEST else None
        token = self._tokens.get(found[1]) if found else None
        digest = hashlib.sha256((text or "").encode("utf-8", "surrogatepass")).hexdigest()
        same = hmac.compare_digest(digest, token.sha256 if token else _NOBODY)
        return self._grant(token) if token and same else None

    def grant(self, token_id: str) -> Grant | None:
        """What a token that was checked may do by now; None when that is nothing any more."""
        self._look()
        token = self._tokens.get(token_id)
        return self._grant(token) if token else None

    def _grant(self, token: Token) -> Grant | None:
        if token.expires is not None and token.expires <= self._clock():
            return None
        return Grant(token.id, token.name, token.role, token.granted)

    def _look(self) -> None:
        seen = tuple(_stamp(path) for path in self._paths)
        if seen == self._seen:
            return
        self._seen = seen
        self._on = self._on or any(seen)
        tokens: dict[str, Token] = {}
        for path, stamp in zip(self._paths, seen, strict=True):
            if stamp is None:
                continue
            try:
                tokens |= {token.id: token for token in read(path)}
            except (TokenError, SecretError) as error:
                _log.error("nobody of this file gets in: %s", error)
        self._tokens = tokens


class Created(NamedTuple):
    """A new token. `text` is shown once and kept nowhere."""

    token: Token
    text: str


def read(path: Path) -> list[Token]:
    """The tokens of a file.

    Raises:
        SecretError: it cannot be read, or others can.
        TokenError: it does not hold tokens.
    """
    try:
        return _File.model_validate_json(files.read_bytes(path)).tokens
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise TokenError(
            f"{path} does not hold tokens" + (f" (see {where})" if where else ""),
            hint="Restore it, or remove it and make new ones: jimbot tokens create",
        ) from None


def create(
    home: Home,
    security: Security,
    name: str,
    role: Role,
    *,
    scopes: Sequence[Scope] | None = None,
    days: float | None = None,
) -> Created:
    """Make a token and keep its digest; the first one turns tokens on.

    Args:
        scopes: fewer than the role's.
        days: that it holds; without an end when None.

    Raises:
        TokenError: a scope is not the role's, or the file cannot be written.
    """
    path = _written(home, security)
    if beyond := sorted(set(scopes or ()) - GRANTED[role]):
        raise TokenError(
            f"a {role} may not have {', '.join(beyond)}",
            hint=f"It may have: {', '.join(sorted(GRANTED[role]))}",
        )
    with _changing(path) as tokens:
        if any(token.name == name for token in tokens):
            raise TokenError(f"there is a token named {name!r}", hint="Revoke it, or name another")
        created = _new(name, role, scopes, days)
        if not any(token.name == _SERVICE for token in tokens):
            own = _new(_SERVICE, "admin", _SERVICE_SCOPES, None)
            _write(path.parent / _SERVICE_FILE, f"{own.text}\n".encode())
            tokens.append(own.token)
        tokens.append(created.token)
    return created


def revoke(home: Home, security: Security, name: str) -> Token:
    """Take a token back; who uses it is out at once.

    Args:
        name: its name or its id.

    Raises:
        TokenError: there is none, or the file cannot be written.
    """
    with _changing(_written(home, security)) as tokens:
        found = next((token for token in tokens if name in (token.id, token.name)), None)
        if found is None:
            raise TokenError(f"there is no token {name!r}", hint="See: jimbot tokens list")
        tokens.remove(found)
    return found


def own(home: Home) -> str | None:
    """The token of JimBot's own services and commands, handed over or the home's; None where
    tokens are off.

    Raises:
        SecretError: it cannot be read.
    """
    path = _GIVEN if _GIVEN.exists() else home.path / "secrets" / _SERVICE_FILE
    return files.read(path) if path.exists() else None


def headers(home: Home) -> dict[str, str]:
    """What a request of JimBot's own says of itself; nothing where tokens are off."""
    token = own(home)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _new(name: str, role: Role, scopes: Sequence[Scope] | None, days: float | None) -> Created:
    identity = secrets.token_hex(6)
    text = f"jbt_{identity}_{secrets.token_urlsafe(32)}"
    now = time.time()
    try:
        token = Token(
            id=identity,
            name=name,
            role=role,
            scopes=None if scopes is None else tuple(scopes),
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            created=now,
            expires=None if days is None else now + days * 86_400,
        )
    except ValidationError:
        raise TokenError(f"{name!r:.80} cannot be a token's name", hint="1 to 64 letters") from None
    return Created(token, text)


def _written(home: Home, security: Security) -> Path:
    path = security.token_files(home)[-1]
    if home.path not in path.parents:
        raise TokenError(f"tokens are kept in {path}", hint="Change them where that file is made")
    return path


@contextmanager
def _changing(path: Path) -> Iterator[list[Token]]:
    """The file's tokens; what the block makes of them is written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise TokenError(
            f"cannot write {path}: {error.strerror}", hint=f"Make {path.parent} writable"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tokens = read(path) if path.exists() else []
        yield tokens
        kept = {"version": 1, "tokens": [token.model_dump(exclude_none=True) for token in tokens]}
        _write(path, json.dumps(kept, indent=1).encode())
    finally:
        os.close(lock)


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data, mode=0o600)
    except OSError as error:
        raise TokenError(
            f"cannot write {path}: {error.strerror}", hint=f"Make {path.parent} writable"
        ) from error


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
