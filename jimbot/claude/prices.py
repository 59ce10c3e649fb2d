"""From tokens to dollars, by the table's prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jimbot.appliance.claude import ModelPrice
from jimbot.claude.budget import Amount

MILLION = 1_000_000
# Characters a token, before the API has said better; few, so that an estimate is too high.
CHARS_PER_TOKEN = 2.0


class Usage(NamedTuple):
    """Tokens of one request, as the API bills them: the four kinds do not overlap."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0

    @property
    def tokens(self) -> int:
        return self.input + self.output + self.cache_write + self.cache_read


UNUSED = Usage()


class Prices:
    """What tokens of each model cost."""

    def __init__(self, models: Mapping[str, ModelPrice]) -> None:
        self._models = models
        self._chars_per_token: dict[str, float] = {}

    def cost(self, model: str, usage: Usage, *, batch: bool = False) -> Amount:
        price = self._models[model]
        dollars = (
            usage.input * price.input
            + usage.output * price.output
            + usage.cache_write * price.cache_write
            + usage.cache_read * price.cache_read
        ) / MILLION
        return Amount(dollars * (price.batch_factor if batch else 1.0), usage.tokens)

    def ceiling(
        self, model: str, prompt_tokens: int, output_tokens: int, *, batch: bool = False
    ) -> Amount:
        """The most that a request can cost: the whole prompt at its dearest, all output used."""
        price = self._models[model]
        dearest = max(price.input, price.cache_write)
        dollars = (prompt_tokens * dearest + output_tokens * price.output) / MILLION
        factor = price.batch_factor if batch else 1.0
        return Amount(dollars * factor, prompt_tokens + output_tokens)

    def estimate_tokens(self, model: str, chars: int) -> int:
        """Tokens of a prompt, rounded up and with room to spare."""
        return int(chars / self._chars_per_token.get(model, CHARS_PER_TOKEN) * 1.1) + 16

    def learn(self, model: str, chars: int, prompt_tokens: int) -> None:
        """The API has counted a prompt: estimate the next ones by the densest seen."""
        if chars > 0 and prompt_tokens > 0:
            seen = chars / prompt_tokens
            known = self._chars_per_token.get(model)
            self._chars_per_token[model] = seen if known is None else min(known, seen)
