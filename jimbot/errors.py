"""The root of every error that JimBot raises on purpose.

Each room hangs its own branch under `JimbotError`; the command line prints the message and the
hint on one line and exits with `exit_code`::

    JimbotError
    ├── MissingExtra, PortTaken                     here
    ├── TableError, HomeError, BundleError, …       jimbot.appliance
    ├── GameError (IllegalAction, InvalidSeed, …)   jimbot.game
    ├── EventError, LogError                        jimbot.events
    ├── SeriesError                                 jimbot.metrics
    ├── GraphError                                  jimbot.knowledge
    ├── UnknownPolicy, PolicyFileError              jimbot.policy
    ├── OutboxError, GameUnreachable, …             jimbot.mcp
    ├── GatewayError                                jimbot.claude
    ├── TrainingError                               jimbot.training
    ├── NoReplay, SilenceError, NotDelivered, …     jimbot.analytics
    ├── SecurityError (SecretError, TokenError, …)  jimbot.security
    ├── CommandError                                jimbot.terminal
    └── OperationError                              jimbot.operations
"""

from __future__ import annotations


class JimbotError(Exception):
    """Something that a person can act on.

    Args:
        message: what is wrong, in one line, naming the thing that is wrong.
        hint: what to do next, in one line; may be empty inside a library call.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class MissingExtra(JimbotError):
    """A part of JimBot needs a package that this install does not have."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed",
            hint=f"Install it with: pip install 'jimbot[{extra}]' (or run make up)",
        )


class PortTaken(JimbotError):
    """Another program listens where a service should."""

    def __init__(self, port: int, error: OSError) -> None:
        super().__init__(
            f"cannot listen on 127.0.0.1:{port}: {error.strerror or error}",
            hint=f"Stop what uses it (ss -ltnp sport = :{port}), or change the port in the table",
        )
