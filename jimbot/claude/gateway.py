"""A question's way through the gateway."""

from __future__ import annotations

import time
import uuid

from jimbot.claude import strategist
from jimbot.claude.metrics import Metrics
from jimbot.claude.question import Advice, Question, Source
from jimbot.claude.strategist import Opinion
from jimbot.service import Health


class Gateway:
    """Answers questions, never later than their deadline, always with a legal action."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def advise(self, question: Question) -> Advice:
        began = time.perf_counter()
        return self._answer(question, strategist.advise(question), "strategist", began, "no key")

    def _answer(
        self, question: Question, opinion: Opinion, source: Source, began: float, declined: str = ""
    ) -> Advice:
        elapsed = time.perf_counter() - began
        self._metrics.advices.labels(source).inc()
        self._metrics.advice_seconds.labels(source).observe(elapsed)
        if declined:
            self._metrics.declined.labels(declined).inc()
        return Advice(
            advice_id=uuid.uuid4().hex,
            index=opinion.choice,
            key=question.legal[opinion.choice].key,
            reasoning=opinion.reasoning,
            confidence=opinion.confidence,
            alternative=opinion.alternative,
            source=source,
            declined=declined,
            elapsed_ms=round(elapsed * 1000, 3),
        )

    def health(self) -> Health:
        return Health(status="ok", reason="no key: the local strategist answers")
