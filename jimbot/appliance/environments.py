"""What development, staging and production differ in: `[environments]` of the appliance table."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Environment(BaseModel):
    """One environment. `workers` are Ray workers, at least and at most, where a cluster scales."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_level: Literal["DEBUG", "INFO", "WARNING"]
    workers: tuple[int, int]
    backups: bool
    monitoring: bool
    require_digests: Annotated[bool, Field(description="whether an image without one is refused")]

    @model_validator(mode="before")
    @classmethod
    def _as_once(cls, row: Any) -> Any:
        """Tables of before, in generations, backups and bundles, name what nothing reads."""
        if isinstance(row, dict):
            return {name: value for name, value in row.items() if name != "require_tls"}
        return row

    @model_validator(mode="after")
    def _workers_in_order(self) -> Self:
        least, most = self.workers
        if not 0 <= least <= most:
            raise ValueError(f"workers: {least} to {most} is no range")
        return self


class Environments(BaseModel):
    """The three there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    development: Environment
    staging: Environment
    production: Environment
