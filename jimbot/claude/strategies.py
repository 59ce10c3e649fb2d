"""The local strategy cache: what the gateway's cache knows, in a plain file that only answers.

It answers as the gateway's tiers do, exact and pattern, without a store, a key or a network.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jimbot.claude import features
from jimbot.claude.agreement import wilson_lower
from jimbot.claude.errors import StoreError
from jimbot.claude.question import Question

FORMAT: Final = 1

_Hex = Annotated[str, Field(pattern="^[0-9a-f]{16,32}$")]


class Remembered(BaseModel):
    """One answer: the position in its question's legal list, and how sure Claude was."""

    model_config = ConfigDict(frozen=True)

    position: Annotated[int, Field(ge=0)]
    confidence: Annotated[float, Field(ge=0, le=1)]


class Strategies(BaseModel):
    """Answers by the digest of their question, and counts of answers by the pattern of it.

    Attributes:
        agreement: the least lower end of the 95 % interval by which a pattern answers.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    agreement: Annotated[float, Field(gt=0, le=1)]
    exact: dict[_Hex, Remembered] = {}
    patterns: dict[_Hex, dict[str, Annotated[int, Field(ge=1)]]] = {}

    def index(self, question: Question) -> tuple[int, float] | None:
        """Which of the question's legal actions to take, and how surely; None when unheard of."""
        known = self.exact.get(features.exact_key(question).hex())
        if known is not None and known.position < len(question.legal):
            return known.position, known.confidence
        votes = self.patterns.get(features.pattern(question).hex())
        if not votes:
            return None
        action, agreed = max(votes.items(), key=lambda vote: (vote[1], vote[0]))
        lower = wilson_lower(agreed, sum(votes.values()))
        position = question.index_of(action)
        if lower < self.agreement or position is None:
            return None
        return position, lower


def gather(answers: Iterable[tuple[bytes, bytes, str, int, float]], agreement: float) -> Strategies:
    """Strategies from `(key, pattern, action, position, confidence)` of a cache's answers."""
    exact: dict[str, Remembered] = {}
    patterns: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, pattern, action, position, confidence in answers:
        exact[key.hex()] = Remembered(position=position, confidence=confidence)
        patterns[pattern.hex()][action] += 1
    # A pattern that can never speak is only weight.
    spoken = {
        pattern: dict(votes)
        for pattern, votes in patterns.items()
        if wilson_lower(max(votes.values()), votes.total()) >= agreement
    }
    return Strategies(agreement=agreement, exact=exact, patterns=spoken)


def parse(data: bytes) -> Strategies:
    """Strategies from their file.

    Raises:
        StoreError: it is damaged, or of a newer format.
    """
    try:
        found = Strategies.model_validate_json(data)
    except ValidationError as error:
        raise StoreError(
            f"the strategies cannot be read: {error.errors()[0]['msg']}",
            hint="Make the bundle again: jimbot bundle",
        ) from error
    if found.format > FORMAT:
        raise StoreError(
            f"the strategies are of format {found.format}, this JimBot reads up to {FORMAT}",
            hint="Update JimBot",
        )
    return found
