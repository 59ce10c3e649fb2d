"""What is answered over HTTP, one file a subject; `jimbot.analytics.api` puts them together."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from jimbot.analytics.models import Problem

PREFIX = "/api/v1"
RESPONSES: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter does not hold"},
    503: {"model": Problem, "description": "A store is not ready"},
}


class Question(BaseModel):
    """Parameters of a question. Unknown ones are refused: a misspelt filter filters nothing."""

    model_config = ConfigDict(extra="forbid")
