"""How a new generation takes over: `[deploy]` of the appliance table."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Deploy(BaseModel):
    """What opens a gate, and what is kept.

    A rolled service must be well within its health check's `start_s` and stay so for `settle_s`.
    What is drained may take `drain_s` to finish what it is in the middle of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settle_s: Annotated[float, Field(ge=0)]
    drain_s: Annotated[float, Field(gt=0)]
    generations_kept: Annotated[int, Field(ge=2)]
