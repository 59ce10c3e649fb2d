"""The order of the cards that are played: they score from the left, and for some jokers it counts.

Hanging Chad plays the first card again, Photograph multiplies by the first face card alone, what
multiplies does better behind what adds. A card that scores more in front is moved there first.
"""

from __future__ import annotations

from typing import Final

from jimbot.game import Action, ActionKind, Run
from jimbot.game.cards import GLASS, POLYCHROME, Card
from jimbot.game.catalogue import JOKER_BY_KEY

_JOKERS: Final = {JOKER_BY_KEY["j_hanging_chad"], JOKER_BY_KEY["j_photograph"]}
# A move is an action more: it has to bring so much.
_LEAST: Final = 1.02


def arranged(run: Run, action: Action) -> Action:
    """The move to make before a play, or the action itself when no move makes it score more.

    Looks at all cards of the play that lie face up; the run is left as it was.
    """
    if action.kind != ActionKind.PLAY or not _counts(run, action.cards):
        return action
    hand = run.hand
    best, most = action, run.preview(action.cards).score * _LEAST
    for place in action.cards:
        if place == 0 or hand[place].face_down:
            continue
        run.hand = [hand[place], *hand[:place], *hand[place + 1 :]]
        cards = tuple(sorted(0 if at == place else at + (at < place) for at in action.cards))
        score = run.preview(cards).score
        if score > most:
            best, most = Action(ActionKind.MOVE_CARD, place, (0,)), score
    run.hand = hand
    return best


def _counts(run: Run, cards: tuple[int, ...]) -> bool:
    """Whether the order of these cards may count."""
    return len(cards) > 1 and (
        any(joker.kind in _JOKERS for joker in run.jokers)
        or any(_multiplies(run.hand[place]) for place in cards)
    )


def _multiplies(card: Card) -> bool:
    return not card.face_down and (card.enhancement == GLASS or card.edition == POLYCHROME)
