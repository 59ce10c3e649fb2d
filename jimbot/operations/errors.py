"""What can go wrong while the appliance is run."""

from __future__ import annotations

from jimbot.errors import JimbotError


class OperationError(JimbotError):
    """A procedure could not be carried out; what was there before is as it was."""


class MachineTooSmall(OperationError):
    """The machine has less than the chosen profile needs."""


class AlreadyRunning(OperationError):
    """Another `jimbot up` runs on the same state."""


class NotRunning(OperationError):
    """There is no running appliance to do it."""


class GateClosed(OperationError):
    """A rolled service did not become well; what ran before runs again."""

    exit_code = 1
