"""How often what keeps itself in order is done: `[maintenance]` of the appliance table."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Hours = Annotated[float, Field(gt=0)]


class Maintenance(BaseModel):
    """Hours between two runs: `retain` is `jimbot db retain`, `drill` is `jimbot drill`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retain_hours: Hours
    drill_hours: Hours
