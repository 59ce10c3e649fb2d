"""How services' logs are kept: `[logs]` of the table, by age and size of its `[environments]`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from jimbot.appliance.model import Appliance

ENVIRONMENT = "JIMBOT_ENVIRONMENT"


class Logs(BaseModel):
    """When a service's file is turned over, and whose retention counts where none is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotate_mb: Annotated[float, Field(gt=0, description="MiB of a service's current file")]
    environment: Literal["development", "staging", "production"]


class LogLimits(NamedTuple):
    """What one service's files may come to: MiB of the current one, MiB and days of the old."""

    rotate_mb: float
    most_mb: float
    days: float

    @classmethod
    def of(cls, appliance: Appliance) -> LogLimits:
        """Of the environment that `$JIMBOT_ENVIRONMENT` names, else the table's own.

        Services share what the environment gives logs, equally.
        """
        name = os.environ.get(ENVIRONMENT, "")
        environments = appliance.environments
        if name not in type(environments).model_fields:
            name = appliance.logs.environment
        chosen = getattr(environments, name)
        ours = sum(bool(service.command) for service in appliance.services.values())
        return cls(appliance.logs.rotate_mb, chosen.log_mb / max(ours, 1), chosen.log_days)
