"""What an answer would be worth: how unsure the policy is, and how much hangs on it, in 0..1."""

from __future__ import annotations

from collections.abc import Mapping

from jimbot.claude.question import Question

LAST_ANTE = 8


def of_information(question: Question, kind_weight: Mapping[str, float]) -> float:
    """The value of asking Claude, 0..1: uncertainty x stakes x how far the run has come."""
    if len(question.legal) < 2:
        return 0.0
    return uncertainty(question) * stakes(question, kind_weight) * progress(question)


def uncertainty(question: Question) -> float:
    """One less the policy's margin between its two best actions; 1 where it said nothing."""
    if not question.probabilities:
        return 1.0
    best, second = sorted(question.probabilities, reverse=True)[:2]
    return 1.0 - (best - second)


def stakes(question: Question, kind_weight: Mapping[str, float]) -> float:
    """How much a wrong answer can cost: the kind of decision, and how near losing the blind is."""
    weight = kind_weight.get(question.kind, 0.5)
    if question.state.boss:
        weight = max(weight, kind_weight.get("boss", weight))
    return weight * (0.5 + 0.5 * danger(question))


def danger(question: Question) -> float:
    """In a blind, the chips missing against what the best play repeated would bring; else 0.5."""
    state = question.state
    missing = state.required - state.chips
    scores = [c.features["score"] for c in question.legal if "score" in c.features]
    if missing <= 0 or not scores:
        return 0.5
    within_reach = max(scores) * max(state.hands_left, 1)
    return 1.0 if within_reach <= 0 else min(missing / within_reach, 1.0)


def progress(question: Question) -> float:
    """A run that has come far is worth more advice than one that is dealt anew."""
    return 0.5 + 0.5 * min(question.state.ante, LAST_ANTE) / LAST_ANTE
