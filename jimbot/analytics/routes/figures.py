"""Figures by time, and what the games have shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, model_validator

from jimbot.analytics.figures import Figures
from jimbot.analytics.models import Evaluations, Knowledge, Series, Summary, Training, Trends
from jimbot.analytics.routes import PREFIX, RESPONSES, Question
from jimbot.events import now_ms
from jimbot.metrics import How

_YEAR_HOURS = 24 * 366
_DAY_MS = 86_400_000
_MOST_BUCKETS = 20_000


class SpanQuestion(Question):
    hours: Annotated[
        float, Field(gt=0, le=_YEAR_HOURS, description="how far back from now, in hours")
    ] = 24

    @property
    def span_ms(self) -> int:
        return max(int(self.hours * 3_600_000), 1000)


class TrainingQuestion(SpanQuestion):
    run: Annotated[str | None, Field(max_length=128, description="the last run otherwise")] = None


class SeriesQuestion(Question):
    start: Annotated[
        int | None, Field(ge=0, lt=1 << 53, description="ms since 1970; a day before `end` if none")
    ] = None
    end: Annotated[
        int | None, Field(ge=0, lt=1 << 53, description="ms since 1970; not included; now if none")
    ] = None
    step: Annotated[
        int | None, Field(ge=1000, lt=1 << 53, description="ms of a bucket; a fit one if none")
    ] = None
    how: Annotated[How, Field(description="how a bucket's points become one")] = "mean"

    @model_validator(mode="after")
    def _is_a_range(self) -> SeriesQuestion:
        start, end = self.range
        if start >= end:
            raise ValueError("start must lie before end")
        if self.step and (end - start) / self.step > _MOST_BUCKETS:
            raise ValueError(f"step must be larger: at most {_MOST_BUCKETS} buckets")
        return self

    @property
    def range(self) -> tuple[int, int]:
        end = now_ms() + 1 if self.end is None else self.end
        return (max(end - _DAY_MS, 0) if self.start is None else self.start), end


class KnowledgeQuestion(Question):
    limit: Annotated[int, Field(ge=1, le=200, description="rows of each kind")] = 10


def router(figures: Figures) -> APIRouter:
    api = APIRouter(prefix=PREFIX, responses=RESPONSES)

    @api.get("/summary", tags=["figures"])
    def summary() -> Summary:
        """The figures of the moment."""
        return figures.summary()

    @api.get("/trends", tags=["figures"])
    def trends(question: Annotated[SpanQuestion, Query()]) -> Trends:
        """Games per hour, win rate and mean ante with their intervals, by time."""
        return figures.trends(question.span_ms)

    @api.get("/training", tags=["figures"])
    def training(question: Annotated[TrainingQuestion, Query()]) -> Training:
        """Loss, entropy, return and speed of training, by time."""
        return figures.training(question.span_ms, question.run)

    @api.get("/evaluations", tags=["figures"])
    def evaluations(question: Annotated[TrainingQuestion, Query()]) -> Evaluations:
        """How the policy in training did on held-out seeds, with 95 % intervals, by time."""
        return figures.evaluations(question.span_ms, question.run)

    @api.get("/series", tags=["figures"])
    def names() -> list[str]:
        """The names of all series."""
        return figures.names()

    @api.get("/series/{name}", tags=["figures"])
    def series(
        name: Annotated[str, Path(max_length=128)],
        question: Annotated[SeriesQuestion, Query()],
    ) -> Series:
        """One series over a range of time, in buckets. A name without points has none."""
        return figures.series(name, *question.range, question.step, question.how)

    @api.get("/knowledge", tags=["knowledge"])
    def knowledge(question: Annotated[KnowledgeQuestion, Query()]) -> Knowledge:
        """The jokers, hands, pairs and strategies that won most surely."""
        return figures.knowledge(question.limit)

    return api
