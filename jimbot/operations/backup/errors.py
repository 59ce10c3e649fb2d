"""What can go wrong with a backup."""

from __future__ import annotations

from jimbot.operations.errors import OperationError


class BackupError(OperationError):
    """The backup, or a restore, was not made; what was there before is as it was."""

    exit_code = 1


class BackupRunning(BackupError):
    """Another one has the backups of this home for itself."""


class NotSetUp(BackupError):
    """There is no repository, no password, or no restic."""

    exit_code = 2


class NoPassword(NotSetUp):
    """There is no password, or it is not for this user to read."""
