"""How a run looks in a terminal: only what its player may see."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from jimbot.game import Blind, Card, Consumable, HandType, Joker, Offer, Phase, Run
from jimbot.game.catalogue import (
    BLINDS,
    CONSUMABLES,
    JOKERS,
    PACKS,
    TAGS,
    VOUCHERS,
)

_SUITS = ("♠", "♥", "♣", "♦")
_SUIT_STYLES = ("bold bright_white", "bold red", "bold cyan", "bold yellow")
_RANKS = {11: "J", 12: "Q", 13: "K", 14: "A"}
_EDITION_MARKS = {"Foil": "foil", "Holographic": "holo", "Polychrome": "poly", "Negative": "neg"}


def screen(run: Run) -> RenderableType:
    """The whole table: blind, score, jokers, consumables, and what can be acted on now."""
    parts: list[RenderableType] = [_head(run), _rack(run)]
    if run.phase == Phase.BLIND_SELECT:
        parts.append(_blinds(run))
    elif run.phase == Phase.SHOP:
        parts.append(_shop(run))
    elif run.phase == Phase.PACK and run.pack is not None:
        picks = f"{run.pack.name}, {run.pack.picks} to pick"
        parts.append(Panel(_offers(run.pack.cards, priced=False), title=picks, title_align="left"))
    if run.hand and run.phase in (Phase.SELECTING_HAND, Phase.PACK):
        parts.append(hand(run.hand))
    parts.append(Text(_prompt(run), style="bright_black"))
    return Group(*parts)


def _head(run: Run) -> RenderableType:
    first = Text.assemble(
        (f"Ante {run.ante}", "bold"),
        f"  round {run.round}   ",
        (f"${run.money}", "bold yellow"),
        f"   hands {run.hands_left}  discards {run.discards_left}   ",
        f"{run.deck}/{run.stake}  seed {run.seed}",
    )
    if run.blind is None or run.phase not in (Phase.SELECTING_HAND, Phase.ROUND_EVAL, Phase.PACK):
        return first
    done = min(run.chips / run.required, 1.0) if run.required else 1.0
    bar = "█" * round(done * 24)
    second = Text.assemble(
        (run.blind.name, "bold magenta"),
        f"  {number(run.chips)} / {number(run.required)}  ",
        (f"{bar:░<24}", "green"),
    )
    if effect := _effect(run.blind):
        second.append(f"  {effect}", style="magenta")
    return Group(first, second)


def _effect(blind: Blind) -> str:
    return "disabled" if blind.disabled else BLINDS[blind.kind].text


def _rack(run: Run) -> RenderableType:
    """Jokers, consumables and tags."""
    lines = [
        _row(f"Jokers {len(run.jokers)}/{run.joker_slots}", [joker(j) for j in run.jokers]),
        _row(
            f"Cards {len(run.consumables)}/{run.consumable_slots}",
            [consumable(c) for c in run.consumables],
        ),
    ]
    if run.tags:
        lines.append(_row("Tags", [Text(tag.name) for tag in run.tags]))
    return Group(*lines)


def _row(label: str, things: list[Text]) -> Text:
    line = Text(f"{label:<12}")
    for place, thing in enumerate(things, 1):
        line.append(f"  {place} ", style="bright_black").append_text(thing)
    return line.append("  –", style="bright_black") if not things else line


def hand(cards: list[Card]) -> RenderableType:
    """Cards side by side, their places below."""
    table = Table.grid(padding=(0, 1))
    for _ in cards:
        table.add_column(justify="center", min_width=4)
    table.add_row(*(card(each) for each in cards))
    if any(marks(each) for each in cards):
        table.add_row(*(Text(marks(each), style="italic") for each in cards))
    table.add_row(*(Text(str(place), style="bright_black") for place in range(1, len(cards) + 1)))
    return table


def card(what: Card) -> Text:
    """A card's face, as far as it shows one."""
    if what.face_down:
        return Text("▒▒", style="bright_black")
    if what.enhancement_name == "Stone":
        return Text("▣", style="white")
    face = f"{_RANKS.get(what.rank, str(what.rank))}{_SUITS[what.suit]}"
    return Text(face, style="strike bright_black" if what.debuffed else _SUIT_STYLES[what.suit])


def marks(what: Card) -> str:
    """What makes a card special, in a few letters a word."""
    if what.face_down:
        return ""
    words = []
    if what.enhancement:
        words.append(what.enhancement_name.lower())
    if what.edition:
        words.append(_EDITION_MARKS[what.edition_name])
    if what.seal:
        words.append(what.seal_name.split()[0].lower())
    if what.bonus:
        words.append(f"+{what.bonus}")
    if what.forced:
        words.append("forced")
    return "/".join(words)


def joker(what: Joker) -> Text:
    if what.face_down:
        return Text("▒▒▒▒", style="bright_black")
    notes = [_EDITION_MARKS[what.edition_name]] if what.edition else []
    notes += [word for word, holds in (("eternal", what.eternal), ("rental", what.rental)) if holds]
    if what.perishable >= 0:
        notes.append(f"{what.perishable} rounds" if what.perishable else "perished")
    if what.value:
        notes.append(f"{what.value:g}")
    text = Text(what.name, style="strike bright_black" if what.debuffed else "green")
    return text.append(f" ({', '.join(notes)})", style="bright_black") if notes else text


def consumable(what: Consumable) -> Text:
    style = {"Tarot": "magenta", "Planet": "blue", "Spectral": "cyan"}[what.kind_name]
    return Text(what.name, style=style)


def offer(what: Offer) -> Text:
    if what.joker is not None:
        return joker(what.joker)
    if what.consumable is not None:
        return consumable(what.consumable)
    if what.card is not None:
        extra = marks(what.card)
        return card(what.card).append(f" {extra}" if extra else "", style="italic")
    return Text(what.name)


def words(what: Offer | Joker | Consumable) -> str:
    """What a thing does, as the catalogue says it."""
    if isinstance(what, Joker):
        return JOKERS[what.kind].text
    if isinstance(what, Consumable):
        return CONSUMABLES[what.kind].text
    if what.joker is not None:
        return words(what.joker)
    if what.consumable is not None:
        return words(what.consumable)
    if what.voucher >= 0:
        return VOUCHERS[what.voucher].text
    if what.pack >= 0:
        pack = PACKS[what.pack]
        return f"choose {pack.picks} of {pack.size} {pack.kind} cards"
    return ""


def _offers(offers: list[Offer], *, priced: bool = True) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for place, what in enumerate(offers, 1):
        price = Text(f"${what.cost}" if priced else "", style="yellow")
        about = Text(words(what), style="bright_black")
        table.add_row(Text(str(place), style="bright_black"), offer(what), price, about)
    return table


def _shop(run: Run) -> RenderableType:
    shelves: list[RenderableType] = []
    for title, offers in (
        ("buy", run.shop_cards),
        ("voucher", run.shop_vouchers),
        ("pack", run.shop_packs),
    ):
        shelves += [Text(title, style="bold"), _offers(offers) if offers else Text("  –")]
    title = f"Shop, reroll ${run.reroll_cost}"
    return Panel(Group(*shelves), title=title, title_align="left")


def _blinds(run: Run) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for ahead in run.blinds_ahead:
        state = ("", "→", "→", "beaten", "skipped")[ahead.status]
        tag = f"skip: {ahead.tag_name}" if ahead.tag >= 0 else BLINDS[ahead.kind].text
        table.add_row(
            Text(state, style="green"),
            Text(ahead.name, style="bold" if state == "→" else "bright_black"),
            number(ahead.required),
            Text(f"${ahead.reward}", style="yellow"),
            Text(tag, style="bright_black"),
        )
    return Panel(table, title="Blinds", title_align="left")


def info(run: Run) -> RenderableType:
    """Jokers, consumables and tags with what they do."""
    table = Table.grid(padding=(0, 2))
    for held in run.jokers:
        table.add_row(joker(held), Text("" if held.face_down else words(held)))
    for spare in run.consumables:
        table.add_row(consumable(spare), Text(words(spare)))
    for tag in run.tags:
        table.add_row(Text(tag.name), Text(TAGS[tag.kind].text))
    return table


def hands(run: Run) -> RenderableType:
    """The poker hands' levels."""
    table = Table(box=None)
    for heading in ("hand", "level", "chips", "mult", "played"):
        table.add_column(heading, justify="left" if heading == "hand" else "right")
    for level in reversed(run.hand_levels):
        if level.visible:
            table.add_row(
                HandType(level.hand).label,
                str(level.level),
                number(level.chips),
                number(level.mult),
                str(level.played),
            )
    return table


def deck(run: Run) -> RenderableType:
    """What is left to draw, a row a suit, in no telling order."""
    table = Table.grid(padding=(0, 1))
    left = run.deck_view()
    for suit in range(4):
        of_suit = sorted((c for c in left if c.suit == suit), key=lambda c: -c.rank)
        line = Text()
        for each in of_suit:
            line.append_text(card(each)).append(f" {marks(each)} " if marks(each) else " ")
        table.add_row(Text(f"{_SUITS[suit]} {len(of_suit):>2}", style=_SUIT_STYLES[suit]), line)
    return table


def number(value: float) -> str:
    """Short enough for one look: 12,345 or 1.234e15."""
    return f"{value:,.0f}" if value < 1e12 else f"{value:.3e}"


def _prompt(run: Run) -> str:
    return {
        Phase.BLIND_SELECT: "go plays the blind, skip takes its tag",
        Phase.SELECTING_HAND: "numbers play cards, d and numbers discard",
        Phase.ROUND_EVAL: "go cashes out",
        Phase.SHOP: "buy, voucher, pack, reroll, sell; go leaves",
        Phase.PACK: "pick, or skip",
        Phase.GAME_OVER: "the game is over",
    }[run.phase] + "   (help)"
