"""The gateway's rows of the appliance table: `[claude]`.

Prices and models change more often than code: whoever changes them does it in the table.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Purpose = Literal["decision", "analysis"]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelPrice(_Row):
    """One model: dollars per million tokens, and how it is asked.

    `thinking` and `effort` are left to the model's own default where they are not given; which
    values a model takes differs from model to model.
    """

    input: Dollars
    output: Dollars
    cache_write: Dollars
    cache_read: Dollars
    batch_factor: Annotated[Share, Field(description="of the price, for message batches")] = 0.5
    thinking: Literal["adaptive", "between_tools", "disabled"] | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class Budget(_Row):
    """What a window of the UTC clock may cost; input, output and cached tokens count alike."""

    dollars: Dollars
    tokens: Annotated[int, Field(ge=0)]


class Budgets(_Row):
    hour: Budget
    day: Budget
    month: Budget
    warn_at: Share


class ClaudeLimits(_Row):
    """When the gateway asks Claude, of which models, and what that may cost."""

    base_urls: Annotated[tuple[str, ...], Field(min_length=1, description="tried in order")]
    keys: Annotated[
        tuple[str, ...],
        Field(description="files, or folders of files; $VARIABLES; relative ones lie in the home"),
    ]
    purposes: dict[Purpose, str]
    models: dict[str, ModelPrice]

    requests_per_hour: Count
    burst: Annotated[int, Field(ge=1, description="requests that may come at once")]
    decision_share: Annotated[Share, Field(description="of decisions, less than this consult")]
    concurrency: Count
    max_output_tokens: Count
    analysis_output_tokens: Count
    max_prompt_chars: Count
    least_deadline_ms: Annotated[int, Field(ge=0, description="below it Claude is not asked")]
    request_timeout_s: Annotated[Seconds, Field(description="then a late answer is given up")]
    retries: Annotated[int, Field(ge=0, le=5)]
    breaker_failures: Count
    breaker_open_s: Seconds
    batch_window_ms: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1, le=16)]

    least_value: Annotated[Share, Field(description="of information, that is ever paid for")]
    kind_weight: dict[str, Share]

    cache_entries: Count
    cache_days: Annotated[float, Field(gt=0)]
    cache_agreement: Annotated[
        Share, Field(description="the least share of agreeing answers that lets a tier answer")
    ]
    cache_evidence: Annotated[int, Field(ge=2, description="answers before a tier may generalise")]
    contradiction_trials: Annotated[int, Field(ge=2)]

    analysis_every_s: Seconds
    analysis_queue: Count

    budgets: Budgets

    @property
    def servers(self) -> frozenset[str]:
        """Where the gateway must get to beyond this machine, each `HOST:PORT`."""
        far = (urlsplit(url) for url in self.base_urls)
        return frozenset(f"{it.hostname}:{it.port or 443}" for it in far if it.scheme == "https")

    @field_validator("base_urls")
    @classmethod
    def _are_private(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        """A key never travels in the clear, except to a stand-in on this machine."""
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme != "https" and not (
                parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
            ):
                raise ValueError(f"{url} is neither https nor on this machine")
        return urls

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if unknown := set(self.purposes.values()) - set(self.models):
            raise ValueError(f"no price for the model {', '.join(sorted(unknown))}")
        if missing := {"decision", "analysis"} - set(self.purposes):
            raise ValueError(f"no model for {', '.join(sorted(missing))}")
        hour, day, month = self.budgets.hour, self.budgets.day, self.budgets.month
        if not hour.dollars <= day.dollars <= month.dollars or not (
            hour.tokens <= day.tokens <= month.tokens
        ):
            raise ValueError("the budget of an hour, a day and a month must grow in this order")
        return self
