"""The local strategist: a few rules any player would nod at, for when Claude is not asked.

It reads only the question, answers in microseconds, and always with a legal action. Where no rule
speaks it says what the policy would do; where the policy said nothing, it takes the figures.
"""

from __future__ import annotations

from typing import NamedTuple

from jimbot.claude.question import Choice, Question

# Interest: a dollar a round for every five held, up to this much money.
INTEREST_AT = 25
# Below this preference the policy is not sure enough to overrule a rule.
SURE = 0.6


class Opinion(NamedTuple):
    """An answer before it is put in words for the API; indices into the legal list."""

    choice: int
    reasoning: str
    confidence: float
    alternative: int | None = None


def advise(question: Question) -> Opinion:
    """The first rule that speaks; the policy's preference, or the figures, otherwise."""
    if len(question.legal) == 1:
        return Opinion(0, "There is nothing else to do.", 1.0)
    for rule in (_win_the_blind, _last_hand, _dig_for_more, _buy):
        if (opinion := rule(question)) is not None:
            return opinion
    return _preference(question)


def _plays(question: Question) -> list[int]:
    plays = [
        i
        for i, choice in enumerate(question.legal)
        if choice.key.startswith("play") and "score" in choice.features
    ]
    return sorted(plays, key=lambda i: -question.legal[i].features["score"])


def _missing(question: Question) -> float:
    return question.state.required - question.state.chips


def _win_the_blind(question: Question) -> Opinion | None:
    plays = _plays(question)
    if not plays or question.state.required <= 0:
        return None
    enough = [i for i in plays if question.legal[i].features["score"] >= _missing(question)]
    if not enough:
        return None
    return Opinion(
        enough[0], "This play beats the blind now.", 0.95, enough[1] if len(enough) > 1 else None
    )


def _last_hand(question: Question) -> Opinion | None:
    plays = _plays(question)
    if not plays or question.state.hands_left != 1 or question.state.discards_left > 0:
        return None
    second = plays[1] if len(plays) > 1 else None
    return Opinion(plays[0], "The last hand: the play that scores most.", 0.8, second)


def _dig_for_more(question: Question) -> Opinion | None:
    """Discard while the best play is short of its share of what is missing."""
    plays = _plays(question)
    discards = [i for i, choice in enumerate(question.legal) if choice.key.startswith("discard")]
    state = question.state
    if not plays or not discards or state.discards_left < 1 or state.hands_left < 1:
        return None
    best = question.legal[plays[0]].features["score"]
    if best * state.hands_left >= _missing(question):
        return None
    chosen = max(discards, key=lambda i: (_weight(question, i), -i))
    return Opinion(
        chosen, "No hand here keeps pace with the blind; look for better.", 0.6, plays[0]
    )


def _buy(question: Question) -> Opinion | None:
    """Buy what is worth most, unless it costs interest and the policy is not sure of it."""
    offers = [
        i
        for i, choice in enumerate(question.legal)
        if choice.key.startswith("buy") and choice.features.get("value", 0.0) > 0
    ]
    if not offers:
        return None
    money = question.state.money
    worth = sorted(offers, key=lambda i: -_worth(question.legal[i], money))
    best = question.legal[worth[0]]
    if _worth(best, money) <= 0:
        return None
    second = worth[1] if len(worth) > 1 else None
    return Opinion(worth[0], "Worth more than what it costs and the interest.", 0.6, second)


def _worth(offer: Choice, money: int) -> float:
    cost = offer.features.get("cost", 0.0)
    interest = min(money, INTEREST_AT) // 5 - min(max(money - cost, 0), INTEREST_AT) // 5
    return offer.features["value"] - cost - interest


def _weight(question: Question, index: int) -> float:
    """How much speaks for an action: the policy's preference, else its figures."""
    if question.probabilities:
        return question.probabilities[index]
    features = question.legal[index].features
    return features.get("value", features.get("score", 0.0))


def _preference(question: Question) -> Opinion:
    order = sorted(range(len(question.legal)), key=lambda i: (-_weight(question, i), i))
    best, second = order[0], order[1]
    if question.probabilities:
        chance = question.probabilities[best]
        sure = "is sure of" if chance >= SURE else "leans to"
        return Opinion(best, f"No rule speaks; the policy {sure} this.", chance, second)
    return Opinion(best, "No rule speaks; the best figures.", 1 / len(question.legal), second)
