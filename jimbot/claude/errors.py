"""What can go wrong on the way to Claude."""

from __future__ import annotations

from jimbot.errors import JimbotError


class GatewayError(JimbotError):
    """The gateway cannot do what it was asked; no game waits for it."""


class KeyFileError(GatewayError):
    """A key file cannot be read, is too open, or holds no key. Never names the key."""


class StoreError(GatewayError):
    """The gateway's cache or ledger cannot be used."""


class BudgetSpent(GatewayError):
    """A budget of tokens or money has no room for this request."""
