"""Backups of a home by restic: made consistent, proved after writing, kept by the table.

`run` makes one, `status` tells how old the last good one is, `verify` proves those there are.
"""

from __future__ import annotations

from jimbot.operations.backup.status import BackupStatus, backup_age, status

__all__ = ["BackupStatus", "backup_age", "status"]
