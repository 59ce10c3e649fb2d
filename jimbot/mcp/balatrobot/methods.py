"""Every method of BalatroBot's interface on a `jimbot.game.Run`, without I/O.

A request is checked in the mod's order: its fields, the state that the method needs, and what the
game allows. To add a method, write a function with `@_method`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple, Protocol

from jimbot.game import Action, ActionKind, Offer, Run, random_seed
from jimbot.game.bosses import debuffed_as_due
from jimbot.game.cards import plain_card
from jimbot.game.catalogue import (
    BLIND_BY_KEY,
    CONSUMABLE_BY_KEY,
    CONSUMABLES,
    DECKS,
    JOKER_BY_KEY,
    PACK_BY_KEY,
    STAKES,
    VOUCHER_BY_KEY,
)
from jimbot.game.consumables import targets
from jimbot.game.create import new_consumable, new_joker
from jimbot.game.errors import GameError, InvalidSeed
from jimbot.game.shop import clear_shelf, enter_shop
from jimbot.game.state import BOSS, SHOP, UPCOMING
from jimbot.mcp.balatrobot import names, picture
from jimbot.mcp.balatrobot.rpc import Refused
from jimbot.mcp.balatrobot.state import (
    HIGHLIGHTED_LIMIT,
    PACK_SLOTS,
    game_state,
    state_name,
)


class Files(Protocol):
    """Where `save`, `load` and `screenshot` put and find their files; both may raise OSError."""

    def read(self, path: str) -> bytes: ...
    def write(self, path: str, content: bytes) -> None: ...


class Game:
    """One game behind the interface: a run, or the menu when there is none."""

    def __init__(self, files: Files) -> None:
        self.run: Run | None = None
        self.files = files
        self.random = random.Random()

    def call(self, name: str, params: Any) -> Any:
        """Perform a method.

        Raises:
            Refused: with the name of the error; nothing changed.
        """
        if name == "rpc.discover":
            return document()
        method = METHODS.get(name)
        if method is None:
            raise _bad(f"Unknown method: {name}")
        fields = _check(params, method.fields)
        if method.states and state_name(self.run) not in method.states:
            raise Refused(
                "INVALID_STATE",
                f"Method '{name}' requires one of these states: {', '.join(method.states)}",
            )
        result = method.perform(self, fields)
        return game_state(self.run) if result is None else result


class Field(NamedTuple):
    kind: str  # string, integer, boolean or array (of integers)
    required: bool = False


class Method(NamedTuple):
    fields: dict[str, Field]
    states: tuple[str, ...]
    perform: Callable[[Game, dict[str, Any]], Any]


METHODS: Final[dict[str, Method]] = {}

_INTEGER: Final = Field("integer")
_ARRAY: Final = Field("array")
_STRING: Final = Field("string")
_BOOLEAN: Final = Field("boolean")
_PATH: Final = {"path": Field("string", required=True)}
_CARDS: Final = {"cards": Field("array", required=True)}

_BLINDS: Final = ("BLIND_SELECT",)
_HAND: Final = ("SELECTING_HAND",)
_SHOP: Final = ("SHOP",)
_PACK: Final = (names.PACK_OPEN,)
_RACK: Final = ("SELECTING_HAND", "SHOP", names.PACK_OPEN)
_RUN: Final = (
    "BLIND_SELECT",
    "SELECTING_HAND",
    "ROUND_EVAL",
    "SHOP",
    names.PACK_OPEN,
    "GAME_OVER",
)


@cache
def document() -> dict[str, Any]:
    """The interface's OpenRPC document."""
    text = resources.files(__package__).joinpath("openrpc.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _bad(message: str) -> Refused:
    return Refused("BAD_REQUEST", message)


def _check(params: Any, fields: dict[str, Field]) -> dict[str, Any]:
    """The given fields, of the right types; others are left out."""
    if params is None:
        params = {}
    if not isinstance(params, (dict, list)):
        raise _bad("Arguments must be a table")
    given = params if isinstance(params, dict) else {}
    found: dict[str, Any] = {}
    for name, field in fields.items():
        value = given.get(name)
        if value is None:
            if field.required:
                raise _bad(f"Missing required field '{name}'")
            continue
        found[name] = _typed(name, value, field.kind)
    return found


def _typed(name: str, value: Any, kind: str) -> Any:
    if kind == "integer":
        if not _is_integer(value):
            raise _bad(f"Field '{name}' must be an integer")
        return int(value)
    if kind == "array":
        if not isinstance(value, list):
            raise _bad(f"Field '{name}' must be an array")
        for place, item in enumerate(value):
            if not _is_integer(item):
                raise _bad(f"Field '{name}' array item at index {place} must be of type integer")
        return [int(item) for item in value]
    if not isinstance(value, str if kind == "string" else bool):
        raise _bad(f"Field '{name}' must be of type {kind}")
    return value


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _method(
    name: str, states: tuple[str, ...] = (), fields: dict[str, Field] | None = None
) -> Callable[[Callable[[Game, dict[str, Any]], Any]], Callable[[Game, dict[str, Any]], Any]]:
    def register(
        perform: Callable[[Game, dict[str, Any]], Any],
    ) -> Callable[[Game, dict[str, Any]], Any]:
        METHODS[name] = Method(fields or {}, states, perform)
        return perform

    return register


def _run(game: Game) -> Run:
    assert game.run is not None  # the states of the method say so
    return game.run


def _step(run: Run, kind: ActionKind, index: int = 0, cards: tuple[int, ...] = ()) -> None:
    """Perform an action; what is still wrong with it now is the game's own refusal."""
    try:
        run.step(Action(kind, index, cards))
    except GameError as refusal:
        raise Refused("NOT_ALLOWED", refusal.message) from None


def _one_of(fields: dict[str, Any], *choices: str) -> str:
    """The one of these that was given."""
    given = [name for name in choices if name in fields]
    listed = ", ".join(choices)
    if not given:
        raise _bad(f"Invalid arguments. You must provide one of: {listed}")
    if len(given) > 1:
        raise _bad(f"Invalid arguments. Cannot provide more than one of: {listed}")
    return given[0]


# The game as a whole


@_method("health")
def _health(game: Game, fields: dict[str, Any]) -> Any:
    return {"status": "ok"}


@_method("gamestate")
def _gamestate(game: Game, fields: dict[str, Any]) -> None:
    pass


@_method(
    "start",
    ("MENU",),
    {"deck": Field("string", True), "stake": Field("string", True), "seed": _STRING},
)
def _start(game: Game, fields: dict[str, Any]) -> None:
    deck, stake = fields["deck"], fields["stake"]
    if deck not in names.DECK_NAMES:
        raise _bad(f"Invalid deck enum. Must be one of: {', '.join(names.DECK_NAMES)}")
    if stake not in names.STAKE_NAMES:
        raise _bad(f"Invalid stake enum. Must be one of: {', '.join(names.STAKE_NAMES)}")
    seed = fields.get("seed") or random_seed(game.random)
    try:
        game.run = Run(
            seed.upper(),
            DECKS[names.DECK_NAMES.index(deck)],
            STAKES[names.STAKE_NAMES.index(stake)],
            endless=True,  # as in the game, a run goes on after it is won
        )
    except InvalidSeed as refusal:
        raise _bad(f"Invalid seed: {refusal.message}") from None


@_method("menu")
def _menu(game: Game, fields: dict[str, Any]) -> None:
    game.run = None


@_method("save", _RUN, _PATH)
def _save(game: Game, fields: dict[str, Any]) -> Any:
    path = fields["path"]
    content = json.dumps(_run(game).save(), separators=(",", ":")).encode()
    _write(game, path, content, "save file")
    return {"success": True, "path": path}


@_method("load", (), _PATH)
def _load(game: Game, fields: dict[str, Any]) -> Any:
    path = fields["path"]
    try:
        content = game.files.read(path)
    except (OSError, ValueError):
        raise Refused("INTERNAL_ERROR", f"Failed to read save file: '{path}'") from None
    try:
        game.run = Run.load(json.loads(content))
    except (GameError, ValueError, RecursionError):
        raise Refused("INTERNAL_ERROR", "Invalid save file format") from None
    return {"success": True, "path": path}


@_method("screenshot", (), _PATH)
def _screenshot(game: Game, fields: dict[str, Any]) -> Any:
    path = fields["path"]
    _write(game, path, picture.draw(game.run), "screenshot file")
    return {"success": True, "path": path}


def _write(game: Game, path: str, content: bytes, what: str) -> None:
    try:
        game.files.write(path, content)
    except (OSError, ValueError):
        raise Refused("INTERNAL_ERROR", f"Failed to write {what} to '{path}'") from None


# Blinds


@_method("select", _BLINDS)
def _select(game: Game, fields: dict[str, Any]) -> None:
    _step(_run(game), ActionKind.SELECT_BLIND)


@_method("skip", _BLINDS)
def _skip(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    if run.on_deck == BOSS:
        raise Refused("NOT_ALLOWED", "Cannot skip Boss blind")
    _step(run, ActionKind.SKIP_BLIND)


@_method("reroll_boss", _BLINDS)
def _reroll_boss(game: Game, fields: dict[str, Any]) -> None:
    _step(_run(game), ActionKind.REROLL_BOSS)


# Hands


@_method("play", _HAND, _CARDS)
def _play(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    _step(run, ActionKind.PLAY, cards=_selection(run, fields["cards"], "play"))


@_method("discard", _HAND, _CARDS)
def _discard(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    if fields["cards"] and run.discards_left < 1:
        raise _bad("No discards left. Play cards using `play` instead.")
    _step(run, ActionKind.DISCARD, cards=_selection(run, fields["cards"], "discard"))


def _selection(run: Run, cards: list[int], verb: str) -> tuple[int, ...]:
    if not cards:
        raise _bad(f"Must provide at least one card to {verb}")
    if len(cards) > HIGHLIGHTED_LIMIT:
        raise _bad(f"You can only {verb} {HIGHLIGHTED_LIMIT} cards. Provide fewer card indices.")
    for place in cards:
        if not 0 <= place < len(run.hand) or cards.count(place) > 1:
            raise _bad(f"Invalid card index: {place}")
    for place, card in enumerate(run.hand):
        if card.forced and place not in cards:
            raise _bad(f"Card at index {place} is forced-selected by the boss blind. Include it.")
    return tuple(cards)


@_method("cash_out", ("ROUND_EVAL",))
def _cash_out(game: Game, fields: dict[str, Any]) -> None:
    _step(_run(game), ActionKind.CASH_OUT)


# The shop


@_method("buy", _SHOP, {"card": _INTEGER, "voucher": _INTEGER, "pack": _INTEGER})
def _buy(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    what = _one_of(fields, "card", "voucher", "pack")
    shelves = {"card": run.shop_cards, "voucher": run.shop_vouchers, "pack": run.shop_packs}
    place = fields[what]
    offer = _affordable(run, shelves[what], place, what)
    if what == "card":
        if offer.joker is not None and not run.has_joker_room(offer.joker.edition):
            raise _bad("Cannot purchase joker card, joker slots are full. Sell a joker first.")
        card = offer.consumable
        if card is not None and not run.has_consumable_room(card.edition):
            raise _bad("Cannot purchase consumable card, consumable slots are full.")
    kinds = {
        "card": ActionKind.BUY_CARD,
        "voucher": ActionKind.BUY_VOUCHER,
        "pack": ActionKind.BUY_PACK,
    }
    _step(run, kinds[what], place)


@_method("buy_and_use", _SHOP, {"card": Field("integer", True)})
def _buy_and_use(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    offer = _affordable(run, run.shop_cards, fields["card"], "card")
    if offer.consumable is None:
        raise _bad("Only a consumable card can be bought and used")
    _step(run, ActionKind.BUY_AND_USE, fields["card"])


def _affordable(run: Run, shelf: list[Offer], place: int, what: str) -> Offer:
    if not shelf:
        raise _bad(f"No {what}s in the shop")
    if not 0 <= place < len(shelf):
        raise _bad(
            f"{what.capitalize()} index out of range. Index: {place}, Available: {len(shelf)}"
        )
    offer = shelf[place]
    if not run.can_pay(offer.cost):
        money = run.money + run.debt_limit
        raise _bad(f"Card is not affordable. Cost: {offer.cost}, Available money: {money}")
    return offer


@_method("reroll", _SHOP)
def _reroll(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    if not run.can_pay(run.reroll_cost):
        money = run.money + run.debt_limit
        raise Refused(
            "NOT_ALLOWED",
            f"Not enough dollars to reroll. Available: {money}, Required: {run.reroll_cost}",
        )
    _step(run, ActionKind.REROLL)


@_method("next_round", _SHOP)
def _next_round(game: Game, fields: dict[str, Any]) -> None:
    _step(_run(game), ActionKind.LEAVE_SHOP)


@_method("pack", _PACK, {"card": _INTEGER, "targets": _ARRAY, "skip": _BOOLEAN})
def _pack(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    pack = run.pack
    assert pack is not None
    if not fields.get("skip"):
        fields.pop("skip", None)
    if _one_of(fields, "card", "skip") == "skip":
        _step(run, ActionKind.SKIP_PACK)
        return
    place = fields["card"]
    if not 0 <= place < len(pack.cards):
        raise _bad(f"Card index out of range. Index: {place}, Available cards: {len(pack.cards)}")
    offer = pack.cards[place]
    chosen: list[int] = []
    if offer.joker is not None and not run.has_joker_room(offer.joker.edition):
        raise Refused("NOT_ALLOWED", "Cannot select joker, joker slots are full. Sell a joker.")
    if offer.consumable is not None:
        chosen = _targets(run, offer.consumable.kind, fields.get("targets") or [])
    _step(run, ActionKind.PICK_PACK, place, tuple(chosen))


# What is owned


@_method("sell", _RACK, {"joker": _INTEGER, "consumable": _INTEGER})
def _sell(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    what = _one_of(fields, "joker", "consumable")
    count = len(run.jokers) if what == "joker" else len(run.consumables)
    if not count:
        raise Refused("NOT_ALLOWED", f"No {what}s available to sell")
    place = fields[what]
    if not 0 <= place < count:
        raise _bad(f"Index out of range for {what}: {place}")
    kind = ActionKind.SELL_JOKER if what == "joker" else ActionKind.SELL_CONSUMABLE
    _step(run, kind, place)


@_method("use", _RACK, {"consumable": Field("integer", True), "cards": _ARRAY})
def _use(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    place = fields["consumable"]
    if not 0 <= place < len(run.consumables):
        raise _bad(f"Consumable index out of range: {place}")
    kind = run.consumables[place].kind
    if targets(kind)[1] and state_name(run) == "SHOP":
        raise Refused(
            "INVALID_STATE",
            f"Consumable '{CONSUMABLES[kind].name}' requires card selection and can only be used"
            f" in SELECTING_HAND or {names.PACK_OPEN} state.",
        )
    chosen = _targets(run, kind, fields.get("cards") or [])
    _step(run, ActionKind.USE_CONSUMABLE, place, tuple(chosen))


def _targets(run: Run, kind: int, cards: list[int]) -> list[int]:
    """The places that a consumable acts on, as many as it wants; none if it wants none."""
    least, most = targets(kind)
    if not most:
        return []
    name = CONSUMABLES[kind].name
    if not least <= len(cards) <= most:
        wanted = f"exactly {least}" if least == most else f"{least}-{most}"
        raise _bad(f"Consumable '{name}' requires {wanted} card(s) (provided: {len(cards)})")
    for place in cards:
        if not 0 <= place < len(run.hand) or cards.count(place) > 1:
            raise _bad(f"Card index out of range: {place}")
    return sorted(cards)


@_method(
    "rearrange",
    (*_RACK, "ROUND_EVAL", "BLIND_SELECT"),
    {"hand": _ARRAY, "jokers": _ARRAY, "consumables": _ARRAY},
)
def _rearrange(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    what = _one_of(fields, "hand", "jokers", "consumables")
    if what == "hand" and state_name(run) not in ("SELECTING_HAND", names.PACK_OPEN):
        raise Refused("INVALID_STATE", "Can only rearrange hand during hand selection")
    if what == "hand" and not run.hand:
        raise Refused(
            "NOT_ALLOWED",
            "No cards to rearrange. You can only rearrange hand in Arcana and Spectral packs.",
        )
    order = fields[what]
    count = len(getattr(run, what))
    if len(order) != count:
        raise _bad(f"Must provide exactly {count} indices for {what}")
    for place in order:
        if not 0 <= place < count:
            raise _bad(f"Index out of range for {what}: {place}")
        if order.count(place) > 1:
            raise _bad(f"Duplicate index in {what}: {place}")
    if what == "hand":
        run.hand = [run.hand[place] for place in order]
    elif what == "jokers":
        run.jokers = [run.jokers[place] for place in order]
        run.refresh_jokers()
    else:
        run.consumables = [run.consumables[place] for place in order]


# For tests of bots


@_method(
    "add",
    ("SELECTING_HAND", "SHOP", "ROUND_EVAL"),
    {
        "key": Field("string", True),
        "seal": _STRING,
        "edition": _STRING,
        "enhancement": _STRING,
        "eternal": _BOOLEAN,
        "perishable": _INTEGER,
        "rental": _BOOLEAN,
    },
)
def _add(game: Game, fields: dict[str, Any]) -> None:
    run = _run(game)
    key = fields["key"]
    face = names.read_card_key(key)
    what = {"j_": "joker", "c_": "consumable", "v_": "voucher", "p_": "pack"}.get(
        key[:2], "playing card" if face else ""
    )
    if not what:
        raise _bad("Invalid card key format. Expected: j_*, c_*, v_*, p_*, or SUIT_RANK")
    if what == "playing card" and state_name(run) != "SELECTING_HAND":
        raise Refused("INVALID_STATE", "Playing cards can only be added in SELECTING_HAND state")
    if what in ("voucher", "pack") and state_name(run) != "SHOP":
        raise Refused("INVALID_STATE", f"{what.capitalize()}s can only be added in SHOP state")
    if what == "pack" and len(run.shop_packs) >= PACK_SLOTS:
        raise Refused("NOT_ALLOWED", "Cannot add pack, shop booster slots are full")
    seal = _modifier(fields, "seal", names.SEALS, what, ("playing card",))
    edition = _modifier(
        fields, "edition", names.EDITIONS, what, ("playing card", "joker", "consumable")
    )
    if what == "consumable" and edition and names.EDITIONS[edition] != "NEGATIVE":
        raise _bad("Consumables can only have NEGATIVE edition")
    enhancement = _modifier(fields, "enhancement", names.ENHANCEMENTS, what, ("playing card",))
    for sticker in ("eternal", "perishable", "rental"):
        if fields.get(sticker) and what != "joker":
            raise _bad(f"{sticker.capitalize()} can only be applied to jokers")
    perishable = fields.get("perishable")
    if perishable is not None and perishable < 1:
        raise _bad("Perishable must be a positive integer (>= 1)")
    if face:
        card = plain_card(run.new_id(), *face).with_enhancement(enhancement)
        card = card.with_edition(edition).with_seal(seal)
        run.hand.append(debuffed_as_due(run, card))
        run.sort_hand()
        return
    kinds = {
        "joker": JOKER_BY_KEY,
        "consumable": CONSUMABLE_BY_KEY,
        "voucher": VOUCHER_BY_KEY,
        "pack": PACK_BY_KEY,
    }[what]
    kind = kinds.get(names.pack_key(key) if what == "pack" else key)
    if kind is None:
        raise _bad(f"Failed to add card: {key}")
    if what == "joker":
        joker = new_joker(run, kind, edition)
        joker.eternal = fields.get("eternal", False)
        joker.rental = fields.get("rental", False)
        if perishable is not None:
            joker.perishable = perishable
        run.add_joker(joker)
    elif what == "consumable":
        consumable = new_consumable(run, kind)
        consumable.edition = edition
        run.add_consumable(consumable)
    elif what == "voucher":
        offer = Offer(voucher=kind)
        offer.from_tag = True
        run.shop_vouchers.append(offer)
    else:
        run.shop_packs.append(Offer(pack=kind))
    run.refresh_costs()


def _modifier(
    fields: dict[str, Any], name: str, known: tuple[str, ...], what: str, allowed: tuple[str, ...]
) -> int:
    value = fields.get(name)
    if value is None:
        return 0
    if what not in allowed:
        raise _bad(f"{name.capitalize()} cannot be applied to a {what}")
    if not value or value not in known:
        raise _bad(f"Invalid {name} value. Must be one of: {', '.join(known[1:])}")
    return known.index(value)


_LARGEST: Final = 1 << 53  # beyond it the game's numbers lose their ones
_VALUES: Final = ("money", "chips", "ante", "round", "hands", "discards")


@_method("set", (), {**dict.fromkeys(_VALUES, _INTEGER), "shop": _BOOLEAN, "boss": _STRING})
def _set(game: Game, fields: dict[str, Any]) -> None:
    if game.run is None:
        raise Refused("INVALID_STATE", "Can only set during an active run")
    run = game.run
    if not fields:
        raise _bad("Must provide at least one field to set")
    for name in _VALUES:
        if not 0 <= fields.get(name, 0) < _LARGEST:
            raise _bad(f"{name.capitalize()} must be a positive integer")
    if fields.get("shop") and run.phase_now != SHOP:
        raise Refused("NOT_ALLOWED", "Can re-stock shop only in SHOP state")
    boss = _boss(run, fields)
    run.money = fields.get("money", run.money)
    run.chips = float(fields.get("chips", run.chips))
    if "ante" in fields:
        run.ante = run.blind_ante = fields["ante"]
    run.round = fields.get("round", run.round)
    run.hands_left = fields.get("hands", run.hands_left)
    run.discards_left = fields.get("discards", run.discards_left)
    if boss is not None:
        run.boss = boss
    if fields.get("shop"):
        clear_shelf(run)
        run.shop_vouchers = []
        run.shop_packs = []
        enter_shop(run)


def _boss(run: Run, fields: dict[str, Any]) -> int | None:
    key = fields.get("boss")
    if key is None:
        return None
    if state_name(run) != "BLIND_SELECT" or run.blind_status[BOSS] != UPCOMING:
        raise Refused("INVALID_STATE", "Can only set boss blind while it is upcoming")
    kind = BLIND_BY_KEY.get(key, 0)
    if kind < 2:
        raise _bad(f"Not a boss blind: {key}")
    return kind
