"""The one decision at every door: who is this, and may he do that?"""

from __future__ import annotations

from typing import NamedTuple

from jimbot.appliance.home import Home
from jimbot.appliance.security import Security
from jimbot.security.lockout import Lockout, is_loopback
from jimbot.security.roles import SCOPES, Scope
from jimbot.security.tokens import Grant, TokenStore

OWNER = Grant("", "whoever is on this machine", "admin", frozenset(SCOPES))
"""Who speaks where tokens are off: loopback alone is open then."""


class Refusal(NamedTuple):
    """Why somebody does not get in, as an HTTP status and for people."""

    status: int
    reason: str
    retry_after_s: float = 0.0


class Entrance:
    """Judges tokens, and makes addresses wait that show wrong ones."""

    def __init__(self, tokens: TokenStore, lockout: Lockout) -> None:
        self.tokens = tokens
        self._lockout = lockout

    @classmethod
    def of(cls, security: Security, home: Home) -> Entrance:
        """The entrance to a home; raises `TokenError` as `TokenStore.of`."""
        lockout = Lockout(security.failures, security.lockout_first_s, security.lockout_limit_s)
        return cls(TokenStore.of(security, home), lockout)

    @property
    def open(self) -> bool:
        """Whether nobody is asked for a token."""
        return not self.tokens.on

    def wait_s(self, address: str) -> float:
        """How long an address has to wait after wrong tokens; 0 when it need not."""
        return self._lockout.wait_s(address) if self.tokens.on else 0.0

    def enter(self, token: str | None, address: str, scope: Scope | None = None) -> Grant | Refusal:
        """Let somebody in, or say why not.

        Args:
            scope: what he wants to do; only who he is when None.
        """
        if self.open:
            return OWNER
        wait = self._lockout.wait_s(address)
        # On this machine the wait holds for wrong tokens alone: a program that goes astray must
        # not keep the others out, and 256 bits are not guessed.
        if wait and not is_loopback(address):
            return Refusal(429, f"too many wrong tokens; wait {wait:.0f} s", wait)
        grant = self.tokens.check(token)
        if grant is None:
            if token:
                wait = max(self._lockout.failed(address), wait)
            if wait:
                return Refusal(429, f"too many wrong tokens; wait {wait:.0f} s", wait)
            return Refusal(401, "the token is missing or not known")
        if not is_loopback(address):
            self._lockout.succeeded(address)
        if scope is not None and scope not in grant.scopes:
            return Refusal(403, f"a {grant.role} with this token may not do that ({scope})")
        return grant
