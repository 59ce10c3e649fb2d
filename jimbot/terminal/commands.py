"""What a player may type, as actions. Places are counted from 1; nothing here reads or prints."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from jimbot.errors import JimbotError
from jimbot.game import Action, ActionKind, Phase, Run

HELP = """\
1 3 5            play these cards            d 1 3 5        discard these cards
go               select the blind, cash out, or leave the shop
skip             skip the blind, or the rest of a pack
buy 1            a card of the shop          use! 1         buy a consumable and use it at once
voucher 1        redeem a voucher            pack 1         open a pack
reroll           the shop, or the boss where a voucher allows it
pick 1 [cards]   from the open pack          use 1 [cards]  a consumable, on cards of the hand
sell j1, sell c1 a joker, a consumable       move j2 1      a joker; move 4 1 a card
sort rank|suit   the hand                    info           jokers and what is offered, in words
hands            levels of the poker hands   deck           what is left to draw
policy [N]       let the policy take 1 or N actions;  auto  lets it play to the end
save FILE        write the run down          help, quit"""


class CommandError(JimbotError):
    """What was typed means nothing here."""


class Meta(Enum):
    """Commands that are not actions of the game."""

    HELP = "help"
    INFO = "info"
    HANDS = "hands"
    DECK = "deck"
    POLICY = "policy"
    AUTO = "auto"
    SAVE = "save"
    QUIT = "quit"


class Command(NamedTuple):
    """A command to the session; `argument` is what followed it."""

    meta: Meta
    argument: str = ""


_SHELVES = {
    "buy": ActionKind.BUY_CARD,
    "use!": ActionKind.BUY_AND_USE,
    "voucher": ActionKind.BUY_VOUCHER,
    "pack": ActionKind.BUY_PACK,
}
_WITH_CARDS = {"pick": ActionKind.PICK_PACK, "use": ActionKind.USE_CONSUMABLE}
_GO = {
    Phase.BLIND_SELECT: ActionKind.SELECT_BLIND,
    Phase.ROUND_EVAL: ActionKind.CASH_OUT,
    Phase.SHOP: ActionKind.LEAVE_SHOP,
}


def parse(text: str, run: Run) -> Action | Command:
    """Read one line typed during `run`.

    Raises:
        CommandError: it is not a command; says what was expected. Whether an action is legal is
            the game's to say.
    """
    words = text.lower().split()
    if not words:
        raise CommandError("nothing was typed", hint="Type help")
    verb, rest = words[0], words[1:]
    if verb.isdigit():
        return Action(ActionKind.PLAY, 0, _places(words))
    if verb in ("d", "discard"):
        return Action(ActionKind.DISCARD, 0, _places(rest))
    if verb in ("p", "play"):
        return Action(ActionKind.PLAY, 0, _places(rest))
    if verb in _SHELVES:
        return Action(_SHELVES[verb], _place(rest))
    if verb in _WITH_CARDS:
        if not rest:
            raise CommandError(f"{verb} needs a number", hint=f"Type e.g. {verb} 1")
        return Action(_WITH_CARDS[verb], _places(rest[:1])[0], _places(rest[1:]))
    if verb in ("go", "skip", "reroll") and rest:
        raise CommandError(f"{verb} takes nothing after it", hint=f"Type {verb} alone")
    if verb == "go":
        return _go(run)
    if verb == "skip":
        kind = ActionKind.SKIP_PACK if run.phase == Phase.PACK else ActionKind.SKIP_BLIND
        return Action(kind)
    if verb == "reroll":
        shop = run.phase != Phase.BLIND_SELECT
        return Action(ActionKind.REROLL if shop else ActionKind.REROLL_BOSS)
    if verb == "sell":
        return _sell(rest)
    if verb == "move":
        return _move(rest)
    if verb == "sort":
        if rest not in (["rank"], ["suit"]):
            raise CommandError("the hand sorts by rank or by suit", hint="Type sort rank")
        return Action(ActionKind.SORT_HAND, 0 if rest == ["rank"] else 1)
    for meta in Meta:
        if verb == meta.value:
            return Command(meta, text.strip()[len(verb) :].strip())
    raise CommandError(f"{verb!r} is no command", hint="Type help")


def _go(run: Run) -> Action:
    if run.phase not in _GO:
        raise CommandError(
            "there is nothing to go on to", hint="Play cards, or pick from the pack, or skip"
        )
    return Action(_GO[run.phase])


def _sell(rest: list[str]) -> Action:
    if len(rest) == 1 and rest[0][:1] in ("j", "c") and rest[0][1:].isdigit():
        kind = ActionKind.SELL_JOKER if rest[0][0] == "j" else ActionKind.SELL_CONSUMABLE
        return Action(kind, int(rest[0][1:]) - 1)
    raise CommandError("what shall be sold?", hint="Type sell j1 (a joker) or sell c1")


def _move(rest: list[str]) -> Action:
    if len(rest) == 2 and rest[1].isdigit():
        joker, origin = rest[0].startswith("j"), rest[0].removeprefix("j")
        if origin.isdigit():
            kind = ActionKind.MOVE_JOKER if joker else ActionKind.MOVE_CARD
            return Action(kind, int(origin) - 1, (int(rest[1]) - 1,))
    raise CommandError("what shall be moved?", hint="Type move j2 1 (a joker) or move 4 1 (a card)")


def _places(words: list[str]) -> tuple[int, ...]:
    if not all(word.isdigit() for word in words):
        raise CommandError(f"{' '.join(words)!r} are not numbers", hint="Type e.g. 1 3 5")
    return tuple(int(word) - 1 for word in words)


def _place(words: list[str]) -> int:
    if len(words) != 1 or not words[0].isdigit():
        raise CommandError("one number is needed", hint="Type e.g. buy 1")
    return int(words[0]) - 1
