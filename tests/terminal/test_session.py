from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from jimbot.game import Action, ActionKind, Run
from jimbot.terminal import screen
from jimbot.terminal.session import Session, describe

K = ActionKind


class FirstLegal:
    name = "first-legal"

    def act(self, run: Run) -> Action:
        return run.legal_actions()[0]


def _session(run: Run, lines: Iterable[str]) -> tuple[Session, io.StringIO]:
    out = io.StringIO()
    typed = iter(lines)

    def read(prompt: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    console = Console(file=out, width=120, highlight=False)
    return Session(run, FirstLegal(), console, read), out


def test_a_hand_is_shown_with_its_places_and_played() -> None:
    session, out = _session(Run("ALEEB"), ["go", "1 2"])
    session.play()
    text = out.getvalue()
    # The opening hand of this seed, as the real game deals it.
    assert "10♣  10♦   9♠   7♠   6♥   5♥   4♥   2♦" in text
    assert "Small Blind  0 / 300" in text
    assert session.actions == [Action(K.SELECT_BLIND), Action(K.PLAY, 0, (0, 1))]
    assert f"{session.run.chips:,.0f} / 300" in text
    assert session.run.chips > 0


def test_an_illegal_action_says_why_and_changes_nothing() -> None:
    run = Run("ALEEB")
    before = run.digest()
    session, out = _session(run, ["1 2", "skip it all"])
    session.play()
    assert "no hand is being played" in out.getvalue()
    session, out = _session(run, ["d 1"])
    session.play()
    assert session.actions == []
    assert run.digest() == before


def test_the_policy_takes_over_for_as_long_as_asked() -> None:
    session, out = _session(Run("ALEEB"), ["policy 2", "policy x"])
    session.play()
    assert len(session.actions) == 2
    assert out.getvalue().count("first-legal:") == 2
    assert "policy takes a number" in out.getvalue()


def test_auto_plays_to_the_end_and_says_how_it_went() -> None:
    session, out = _session(Run("ALEEB"), ["auto"])
    session.play()
    assert session.run.over
    assert "The run is lost in ante" in out.getvalue()


def test_a_saved_run_goes_on_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    session, out = _session(Run("ALEEB"), ["go", "d 1 2", f"save {path}", f"save {path}"])
    session.play()
    assert Run.load(json.loads(path.read_text())).digest() == session.run.digest()
    assert "File exists" in out.getvalue(), "a save never overwrites another"


def test_face_down_cards_and_jokers_stay_hidden() -> None:
    run = Run("ALEEB")
    run.step(Action(K.SELECT_BLIND))
    shown = run.hand[0]
    hidden = shown.with_state(False, True, False, False)
    assert screen.card(shown).plain == "10♣"
    assert screen.card(hidden).plain == "▒▒"
    assert screen.marks(hidden) == ""


def test_the_deck_shows_what_is_left_and_not_its_order() -> None:
    run = Run("ALEEB")
    run.step(Action(K.SELECT_BLIND))
    session, out = _session(run, ["deck"])
    session.play()
    assert "♠ 11" in out.getvalue()  # two of the eight cards held are spades
    other = run.clone()
    other.draw_pile.reverse()
    mirrored, again = _session(other, ["deck"])
    mirrored.play()
    assert again.getvalue() == out.getvalue()


def test_the_shop_tells_price_and_effect() -> None:
    run = Run("ALEEB")
    run.step(Action(K.SELECT_BLIND))
    run.blind.chips = 1.0  # type: ignore[union-attr]
    session, out = _session(run, ["1", "go", "info", "hands", "quit"])
    session.play()
    text = out.getvalue()
    assert "Shop, reroll $5" in text
    assert "Trading Card" in text
    assert "Magic Trick" in text
    assert "Straight Flush" in text
    assert "Flush Five" not in text, "secret hands show once they were played"


def test_actions_are_described_with_places_from_one() -> None:
    assert describe(Action(K.PLAY, 0, (0, 4))) == "play [1 5]"
    assert describe(Action(K.BUY_CARD, 1)) == "buy card 2"
    assert describe(Action(K.CASH_OUT)) == "cash out"
