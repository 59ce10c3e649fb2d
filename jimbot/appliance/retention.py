"""How long the stores keep what: `[retention]` of the appliance table."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Days = Annotated[float, Field(gt=0)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LogRetention(_Row):
    """Of the event log: what is older than `days` goes, but for the types in `keep`."""

    days: Days
    keep: Annotated[tuple[str, ...], Field(min_length=1)]


class SeriesRetention(_Row):
    """Of the series: how long each resolution is kept, and the list of games."""

    raw_days: Days
    minute_days: Days
    hour_days: Days
    game_days: Days

    @model_validator(mode="after")
    def _coarser_lasts_longer(self) -> Self:
        if not self.raw_days <= self.minute_days <= self.hour_days:
            raise ValueError("raw points, minutes and hours must be kept longer in this order")
        return self


class GraphRetention(_Row):
    """Of the graph: beyond so many edges those of the least evidence go."""

    edges: Annotated[int, Field(ge=1000)]
    combinations: Annotated[int, Field(ge=100)]


class Retention(_Row):
    log: LogRetention
    series: SeriesRetention
    graph: GraphRetention
