"""When are two questions the same, alike, or of one pattern.

- the same: everything that is asked about is equal (`exact_key`);
- alike: their vectors point the same way (`vector`; cosine);
- of one pattern: the same kind of decision, at the same time of a run, with the same on offer
  (`pattern`).
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from jimbot.claude.question import Question

Vector = npt.NDArray[np.float32]

FIGURES = 12
WORDS = 52
SIZE = FIGURES + WORDS
_ASKED = {"kind", "state", "legal"}


def exact_key(question: Question) -> bytes:
    """16 bytes that are equal for equal questions, whoever asks, however sure, however hurried."""
    asked = question.model_dump_json(include=_ASKED)
    return hashlib.blake2b(asked.encode(), digest_size=16).digest()


def pattern(question: Question) -> bytes:
    """8 bytes for the kind, the stretch of the run, the boss, and what can be done."""
    ante = question.state.ante
    stretch = "early" if ante <= 2 else "middle" if ante <= 5 else "late"
    boss = question.state.blind if question.state.boss else ""
    keys = ",".join(sorted({choice.key for choice in question.legal}))
    text = f"{question.kind}|{stretch}|{boss}|{keys}"
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def vector(question: Question) -> Vector:
    """A unit vector of shape (SIZE,): figures in 0..1, then hashed words (jokers, hand, offers).

    Words are spread over WORDS places by a hash with a sign, so that what collides cancels as
    often as it adds.
    """
    state = question.state
    missing = max(state.required - state.chips, 0.0)
    best = max((c.features.get("score", 0.0) for c in question.legal), default=0.0)
    out = np.zeros(SIZE, np.float32)
    out[:FIGURES] = (
        state.ante / 8,
        _log(state.required),
        missing / state.required if state.required > 0 else 0.0,
        min(best / missing, 2.0) / 2 if missing > 0 else 0.0,
        min(state.hands_left, 5) / 5,
        min(state.discards_left, 5) / 5,
        max(min(state.money, 50), -10) / 50,
        min(state.reroll_cost, 20) / 20,
        float(state.boss),
        min(len(state.jokers), 8) / 8,
        min(len(state.consumables), 4) / 4,
        max(state.joker_slots - len(state.jokers), 0) / 5,
    )
    _scatter(out, "joker", state.jokers, 1.0)
    _scatter(out, "consumable", state.consumables, 0.7)
    _scatter(out, "voucher", state.vouchers, 0.5)
    _scatter(out, "hand", state.hand, 0.5)
    _scatter(out, "blind", (state.blind,) if state.boss else (), 1.5)
    # What a shop turns on is a step, not a slope: interest by fives, and the price of a reroll.
    _scatter(out, "money", (str(max(state.money, -1) // 5),), 1.0)
    _scatter(out, "reroll", (str(state.reroll_cost),), 1.0)
    _scatter(out, "legal", {choice.key for choice in question.legal}, 0.7)
    length = float(np.linalg.norm(out))
    return out / length if length else out


def _scatter(out: Vector, room: str, words: Iterable[str], weight: float) -> None:
    for word in words:
        code = zlib.crc32(f"{room}:{word}".encode())
        out[FIGURES + (code >> 1) % WORDS] += weight if code & 1 else -weight


def _log(chips: float) -> float:
    return min(math.log10(max(chips, 0.0) + 1) / 12, 1.0)
