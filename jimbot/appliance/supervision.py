"""How services are kept alive: `[supervision]` of the appliance table."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0)]


class Supervision(BaseModel):
    """When a service is started again, and when it is given up for a while.

    A service that failed `crashes` times within `crash_window_s` is in a crash loop: it is tried
    again only every `crash_retry_s`. One that leaves `hang_checks` health checks in a row without
    an answer hangs: it is killed and started again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_s: Seconds
    backoff_first_s: Seconds
    backoff_limit_s: Seconds
    crashes: Annotated[int, Field(ge=2)]
    crash_window_s: Seconds
    crash_retry_s: Seconds
    hang_checks: Annotated[int, Field(ge=1)]
