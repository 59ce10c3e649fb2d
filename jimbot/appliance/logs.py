"""How services' logs are kept: `[logs]` of the appliance table."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

ENVIRONMENT = "JIMBOT_ENVIRONMENT"


class Logs(BaseModel):
    """A service's file is turned over at `rotate_mb`; its old ones go by age, then by size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotate_mb: Annotated[float, Field(gt=0, description="MiB of a service's current file")]
    most_mb: Annotated[float, Field(gt=0, description="MiB of a service's old files together")]
    environment: Annotated[str, Field(description="whose days count where none is named")]
    days: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(description="by environment")]

    @model_validator(mode="after")
    def _has_its_own(self) -> Logs:
        if self.environment not in self.days:
            raise ValueError(f"days has none for {self.environment}")
        return self

    @property
    def days_kept(self) -> float:
        """Of the environment that `$JIMBOT_ENVIRONMENT` names, else of the table's own."""
        named = os.environ.get(ENVIRONMENT, "")
        return self.days.get(named, self.days[self.environment])
