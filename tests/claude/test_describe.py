"""Questions about real runs: legal, whole, and blind to what the player cannot see."""

from __future__ import annotations

import random

import pytest

from jimbot.claude import describe, strategist
from jimbot.claude.describe import HIDDEN
from jimbot.game import DECKS, Phase, Run


@pytest.mark.parametrize("seed", ["ALEEB", "JIMBOT1", "7", "ZZZZ", "B1"])
def test_whole_runs_can_be_asked_about(seed: str) -> None:
    rng = random.Random(seed)
    run = Run(seed, deck=rng.choice(DECKS))
    kinds = set()
    for _ in range(250):
        if run.phase is Phase.GAME_OVER:
            break
        legal = run.legal_actions()
        some = rng.sample(legal, min(len(legal), 40))
        asked = describe.question(run, some, game_id="g")
        kinds.add(asked.kind)
        assert len(asked.legal) == len(some)
        if run.phase is Phase.SELECTING_HAND:
            assert asked.state.required == run.required
            assert len(asked.state.hand) == len(run.hand)
        action = some[strategist.advise(asked).choice]
        assert run.is_legal(action)
        run.step(rng.choice(some) if rng.random() < 0.3 else action)
    assert "play" in kinds


def test_the_question_changes_nothing_of_the_run() -> None:
    run = Run("ALEEB")
    before = run.digest()
    describe.question(run, run.legal_actions())
    assert run.digest() == before


def test_face_down_cards_stay_hidden() -> None:
    run = Run("ALEEB")
    run.step(run.legal_actions()[0])
    assert run.phase is Phase.SELECTING_HAND
    seen = describe.state(run)
    secret = run.hand[0]
    run.hand[0] = secret.with_state(False, True, False, False)
    hidden = describe.state(run)
    assert hidden.hand[0] == HIDDEN
    assert hidden.deck_left[secret.suit_name] == seen.deck_left[secret.suit_name] + 1
    plays = [a for a in run.legal_actions() if a.kind == 0 and 0 in a.cards][:20]
    for action in plays:
        said = describe.choice(run, action)
        assert secret.name not in said.label
        assert said.key == f"play:{HIDDEN}"
        assert "score" not in said.features
