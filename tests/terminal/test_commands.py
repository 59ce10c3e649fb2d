from __future__ import annotations

import pytest

from jimbot.game import Action, ActionKind, Phase, Run
from jimbot.terminal.commands import HELP, Command, CommandError, Meta, parse

K = ActionKind


def _run(phase: Phase) -> Run:
    run = Run("ALEEB")
    if phase == Phase.BLIND_SELECT:
        return run
    run.step(Action(K.SELECT_BLIND))
    if phase == Phase.SELECTING_HAND:
        return run
    run.blind.chips = 1.0  # type: ignore[union-attr]  # any hand beats it
    run.step(Action(K.PLAY, 0, (0,)))
    if phase == Phase.ROUND_EVAL:
        return run
    run.step(Action(K.CASH_OUT))
    if phase == Phase.SHOP:
        return run
    run.money = 100
    run.step(Action(K.BUY_PACK, 0))
    return run


@pytest.mark.parametrize(
    ("phase", "text", "action"),
    [
        (Phase.SELECTING_HAND, "1 3 5", Action(K.PLAY, 0, (0, 2, 4))),
        (Phase.SELECTING_HAND, "p 2", Action(K.PLAY, 0, (1,))),
        (Phase.SELECTING_HAND, "d 8 1", Action(K.DISCARD, 0, (7, 0))),
        (Phase.SELECTING_HAND, "sort suit", Action(K.SORT_HAND, 1)),
        (Phase.SELECTING_HAND, "move 4 1", Action(K.MOVE_CARD, 3, (0,))),
        (Phase.SELECTING_HAND, "move j2 1", Action(K.MOVE_JOKER, 1, (0,))),
        (Phase.SELECTING_HAND, "use 1 2 3", Action(K.USE_CONSUMABLE, 0, (1, 2))),
        (Phase.BLIND_SELECT, "go", Action(K.SELECT_BLIND)),
        (Phase.BLIND_SELECT, "skip", Action(K.SKIP_BLIND)),
        (Phase.BLIND_SELECT, "reroll", Action(K.REROLL_BOSS)),
        (Phase.ROUND_EVAL, "go", Action(K.CASH_OUT)),
        (Phase.SHOP, "GO", Action(K.LEAVE_SHOP)),
        (Phase.SHOP, "buy 2", Action(K.BUY_CARD, 1)),
        (Phase.SHOP, "use! 1", Action(K.BUY_AND_USE, 0)),
        (Phase.SHOP, "voucher 1", Action(K.BUY_VOUCHER, 0)),
        (Phase.SHOP, "pack 2", Action(K.BUY_PACK, 1)),
        (Phase.SHOP, "reroll", Action(K.REROLL)),
        (Phase.SHOP, "sell j1", Action(K.SELL_JOKER, 0)),
        (Phase.SHOP, "sell c2", Action(K.SELL_CONSUMABLE, 1)),
        (Phase.PACK, "pick 1", Action(K.PICK_PACK, 0)),
        (Phase.PACK, "pick 2 1 2", Action(K.PICK_PACK, 1, (0, 1))),
        (Phase.PACK, "skip", Action(K.SKIP_PACK)),
    ],
)
def test_what_is_typed_becomes_an_action(phase: Phase, text: str, action: Action) -> None:
    run = _run(phase)
    assert run.phase == phase
    assert parse(text, run) == action


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("help", Command(Meta.HELP)),
        ("policy 10", Command(Meta.POLICY, "10")),
        ("save ~/My Run.json", Command(Meta.SAVE, "~/My Run.json")),
    ],
)
def test_what_is_for_the_session_is_kept_apart(text: str, command: Command) -> None:
    assert parse(text, Run("ALEEB")) == command


@pytest.mark.parametrize(
    "text", ["", "fly", "d x", "buy", "buy one", "sell 1", "move 1", "sort colour", "use", "pick"]
)
def test_nonsense_is_answered_with_what_was_expected(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(text, Run("ALEEB"))
    assert caught.value.hint


def test_go_in_the_middle_of_a_hand_is_refused() -> None:
    with pytest.raises(CommandError, match="nothing to go on to"):
        parse("go", _run(Phase.SELECTING_HAND))


def test_every_session_command_is_in_the_help() -> None:
    assert all(meta.value in HELP for meta in Meta)
