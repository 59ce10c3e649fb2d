"""What can go wrong in training."""

from __future__ import annotations

from jimbot.errors import JimbotError


class TrainingError(JimbotError):
    """Training cannot start or go on; checkpoints are as they were."""
