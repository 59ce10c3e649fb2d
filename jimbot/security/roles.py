"""What a token may do: scopes, and the roles that are sets of them."""

from __future__ import annotations

from typing import Final, Literal, get_args

Role = Literal["viewer", "player", "operator", "admin"]
Scope = Literal[
    "figures:read",  # the dashboard and its API
    "events:read",  # subscribing to the log
    "events:write",  # putting events into the log
    "decisions",  # asking what to play
    "commands:read",  # taking the commands that wait for the game
    "commands:write",  # queueing commands, switching the autopilot
    "alerts:write",  # silencing alerts
    "keys:write",  # the gateway's keys
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_VIEWER: Final[frozenset[Scope]] = frozenset({"figures:read", "events:read"})
_PLAYER: Final[frozenset[Scope]] = frozenset({"events:write", "decisions", "commands:read"})
_OPERATOR: Final[frozenset[Scope]] = _VIEWER | _PLAYER | {"commands:write", "alerts:write"}
GRANTED: Final[dict[Role, frozenset[Scope]]] = {
    "viewer": _VIEWER,
    "player": _PLAYER | {"events:read"},
    "operator": _OPERATOR,
    "admin": frozenset(SCOPES),
}
