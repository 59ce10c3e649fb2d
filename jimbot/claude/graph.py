"""What the knowledge graph would buy: read from its owner now and then, asked in memory.

Only measured figures speak here: the lower end of the win rate's interval of a joker, alone or
held with those that the player has.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from jimbot.claude.question import Question
from jimbot.claude.strategist import Opinion
from jimbot.errors import JimbotError

_log = logging.getLogger(__name__)

EVERY_S = 60.0
TIMEOUT_S = 2.0
KNOWN = 200
# Games behind a figure before it may overrule the local rules.
LEAST_GAMES = 30
KINDS = frozenset({"shop", "pack", "synergy"})


class Figures:
    """Jokers and pairs of them: `(confidence, games)` by key."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.jokers = {
            str(each["key"]): (float(each["confidence"]), int(each["games"]))
            for each in answer.get("jokers") or ()
        }
        self.pairs = {
            frozenset(each["jokers"]): (float(each["confidence"]), int(each["games"]))
            for each in answer.get("pairs") or ()
        }

    def of(self, joker: str, held: tuple[str, ...]) -> tuple[float, int]:
        """A joker's confidence with what is held: its best pair's, or its own without any."""
        pairs = [self.pairs[p] for other in held if (p := frozenset((joker, other))) in self.pairs]
        return max(pairs) if pairs else self.jokers.get(joker, (0.0, 0))


class KnowledgeGraph:
    """The graph as its owner tells it over HTTP at `url`; silent while that is away.

    Args:
        headers: what a request says of itself, asked at each.
    """

    def __init__(self, url: str, headers: Callable[[], Mapping[str, str]] = dict) -> None:
        self._url = f"{url}/api/v1/knowledge?limit={KNOWN}"
        self._headers = headers
        self.figures: Figures | None = None

    async def suggest(self, question: Question, timeout_s: float) -> Opinion | None:
        """Buy or pick the joker that won most surely with those held, if one is on offer."""
        if self.figures is None or question.kind not in KINDS or timeout_s <= 0:
            return None
        offers = []
        for place, choice in enumerate(question.legal):
            verb, _, what = choice.key.partition(":")
            if verb in ("buy", "pick") and what.startswith("j_"):
                confidence, games = self.figures.of(what, question.state.jokers)
                if games >= LEAST_GAMES:
                    offers.append((confidence, games, place, what))
        if not offers:
            return None
        confidence, games, place, what = max(offers)
        if confidence <= self._usual():
            return None
        return Opinion(
            place, f"{what} won more surely than most in {games} games of this agent.", confidence
        )

    async def follow(self) -> None:
        """Read the graph's figures every so often, until cancelled."""
        said = ""
        while True:
            try:
                self.figures = Figures(await asyncio.to_thread(self._read))
                said = ""
            except (OSError, ValueError, KeyError, TypeError, JimbotError) as error:
                if said != (said := str(error)):
                    _log.info("no figures of the graph", extra={"fields": {"error": said}})
            await asyncio.sleep(EVERY_S)

    def _usual(self) -> float:
        """The middle of all jokers' confidences: below it a joker is no reason to buy."""
        assert self.figures is not None
        known = sorted(c for c, games in self.figures.jokers.values() if games >= LEAST_GAMES)
        return known[len(known) // 2] if known else 0.0

    def _read(self) -> Any:
        request = urllib.request.Request(self._url, headers=dict(self._headers()))
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return json.load(response)
