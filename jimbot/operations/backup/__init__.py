"""Backups of a home by restic: made consistent, proved after writing, kept by the table.

`run` makes one, `status` tells how old the last good one is, `verify` proves those there are.
"""

from __future__ import annotations

from jimbot.operations.backup.errors import BackupError, BackupRunning, NotSetUp
from jimbot.operations.backup.record import BackupStatus, backup_age, due, status
from jimbot.operations.backup.runner import BackupResult, Proof, run, run_due, set_up, verify

__all__ = [
    "BackupError",
    "BackupResult",
    "BackupRunning",
    "BackupStatus",
    "NotSetUp",
    "Proof",
    "backup_age",
    "due",
    "run",
    "run_due",
    "set_up",
    "status",
    "verify",
]
