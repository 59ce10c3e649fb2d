"""A picture of the table as PNG: what `screenshot` writes.

Drawn on a small raster with a 5x7 font: enough to see what is where, with nothing to install.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from jimbot.game import Card, Offer, Run
from jimbot.game.catalogue import BLINDS
from jimbot.mcp.balatrobot import names
from jimbot.mcp.balatrobot.state import state_name

Colour = tuple[int, int, int]

WIDTH: Final = 960
HEIGHT: Final = 540
_FELT: Final[Colour] = (45, 84, 72)
_PANEL: Final[Colour] = (30, 40, 44)
_WHITE: Final[Colour] = (240, 240, 240)
_GREY: Final[Colour] = (150, 160, 160)
_GOLD: Final[Colour] = (245, 190, 60)
_BACK: Final[Colour] = (150, 60, 70)
_INK: Final[tuple[Colour, ...]] = ((40, 50, 80), (220, 50, 60), (20, 120, 90), (230, 120, 30))
_SETS: Final[dict[str, Colour]] = {
    "joker": (200, 170, 220),
    "Tarot": (190, 160, 240),
    "Planet": (140, 200, 230),
    "Spectral": (120, 140, 220),
    "voucher": (250, 200, 140),
    "pack": (200, 200, 200),
}
_CARD_WIDTH: Final = 74
_CARD_HEIGHT: Final = 96
_GAP: Final = 8

# Each glyph is seven rows of five dots, a row a base-32 digit, top to bottom.
_GLYPHS: Final = {
    character: [int(digit, 32) for digit in rows]
    for character, rows in {
        "A": "ehhvhhh", "B": "uhhuhhu", "C": "ehggghe", "D": "uhhhhhu", "E": "vgguggv",
        "F": "vgguggg", "G": "ehgnhhf", "H": "hhhvhhh", "I": "e44444e",
        "J": "72222ic", "K": "hikokih", "L": "ggggggv", "M": "hrllhhh", "N": "hhpljhh",
        "O": "ehhhhhe", "P": "uhhuggg", "Q": "ehhhlid", "R": "uhhukih", "S": "fgge11u",
        "T": "v444444", "U": "hhhhhhe", "V": "hhhhha4", "W": "hhhllla",
        "X": "hha4ahh", "Y": "hhha444", "Z": "v1248gv", "0": "ehjlphe", "1": "4c4444e",
        "2": "eh1248v", "3": "v2421he", "4": "26aiv22", "5": "vgu11he", "6": "68guhhe",
        "7": "v124888", "8": "ehhehhe", "9": "ehhf12c", "$": "4fke5u4", "/": "01248g0",
        "-": "000v000", "+": "044v440", ".": "00000cc", ",": "0000c48", ":": "0cc0cc0",
        "'": "c480000", "!": "4444404", "%": "oq248b3", "(": "2488842", ")": "8422248",
        " ": "0000000",
    }.items()
}  # fmt: skip


class _Raster:
    def __init__(self) -> None:
        self.dots: npt.NDArray[np.uint8] = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        self.dots[:] = _FELT

    def box(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        self.dots[max(y, 0) : y + height, max(x, 0) : x + width] = colour

    def text(self, x: int, y: int, text: str, colour: Colour, scale: int = 1) -> None:
        for character in text.upper():
            for row, bits in enumerate(_GLYPHS.get(character, _GLYPHS[" "])):
                for column in range(5):
                    if bits >> (4 - column) & 1:
                        self.box(x + column * scale, y + row * scale, scale, scale, colour)
            x += 6 * scale

    def png(self) -> bytes:
        # Each row begins with its filter: 0, none.
        rows = np.zeros((HEIGHT, WIDTH * 3 + 1), np.uint8)
        rows[:, 1:] = self.dots.reshape(HEIGHT, WIDTH * 3)
        header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def draw(run: Run | None) -> bytes:
    """A picture of the game: 960 by 540 dots, PNG, 8-bit RGB."""
    raster = _Raster()
    raster.box(0, 0, 190, HEIGHT, _PANEL)
    raster.text(14, 16, state_name(run).replace("_", " ")[:14], _WHITE, 2)
    if run is None:
        raster.text(380, 240, "BALATRO", _WHITE, 8)
        return raster.png()
    _panel(raster, run)
    _row(raster, 206, 16, [Offer(joker=joker) for joker in run.jokers], priced=False)
    consumables = [Offer(consumable=card) for card in run.consumables]
    _row(raster, 206 + 5 * (_CARD_WIDTH + _GAP) + 30, 16, consumables, priced=False)
    if run.pack is not None:
        raster.text(206, 140, run.pack.name, _WHITE, 2)
        _row(raster, 206, 164, run.pack.cards, priced=False)
    elif run.shop_cards or run.shop_vouchers or run.shop_packs:
        raster.text(206, 140, "SHOP", _WHITE, 2)
        _row(raster, 206, 164, run.shop_cards)
        _row(raster, 206, 300, [*run.shop_vouchers, *run.shop_packs])
    elif run.phase_now == 0:
        for ahead in run.blinds_ahead:
            x = 206 + ahead.slot * 240
            raster.box(x, 160, 220, 130, _PANEL)
            raster.text(x + 10, 172, ahead.name, _WHITE, 2)
            raster.text(x + 10, 200, f"{ahead.required:,.0f}", _GOLD, 2)
            raster.text(x + 10, 226, names.BLIND_STATUS[ahead.status], _GREY)
            raster.text(x + 10, 246, ahead.tag_name, _GREY)
            raster.text(x + 10, 266, BLINDS[ahead.kind].text[:34], _GREY)
    if run.hand:
        step = min(_CARD_WIDTH + _GAP, 740 // len(run.hand))
        for place, card in enumerate(run.hand):
            _playing_card(raster, 206 + place * step, 424, card)
    return raster.png()


def _panel(raster: _Raster, run: Run) -> None:
    blind = run.blind
    lines = [
        (f"ANTE {run.ante}", _WHITE),
        (f"ROUND {run.round}", _WHITE),
        (f"${run.money}", _GOLD),
        (f"HANDS {run.hands_left}", _WHITE),
        (f"DISCARDS {run.discards_left}", _WHITE),
        (f"DECK {run.deck_count}", _WHITE),
        (blind.name if blind else "", _GOLD),
        (f"{run.chips:,.0f}" if blind else "", _WHITE),
        (f"/ {blind.chips:,.0f}" if blind else "", _GREY),
        (run.deck, _GREY),
        (run.stake, _GREY),
        (run.seed, _GREY),
    ]
    for place, (line, colour) in enumerate(lines):
        raster.text(14, 56 + place * 26, line[:14], colour, 2)


def _row(raster: _Raster, x: int, y: int, offers: list[Offer], priced: bool = True) -> None:
    for place, offer in enumerate(offers):
        left = x + place * (_CARD_WIDTH + _GAP)
        if offer.card is not None:
            _playing_card(raster, left, y, offer.card)
        else:
            _named(raster, left, y, offer)
        if priced:
            raster.text(left + 4, y + _CARD_HEIGHT + 6, f"${offer.cost}", _GOLD, 2)


def _named(raster: _Raster, x: int, y: int, offer: Offer) -> None:
    kind = "pack" if offer.pack >= 0 else "voucher" if offer.voucher >= 0 else "joker"
    if offer.consumable is not None:
        kind = offer.consumable.kind_name
    hidden = offer.joker is not None and offer.joker.face_down
    raster.box(x, y, _CARD_WIDTH, _CARD_HEIGHT, _BACK if hidden else _SETS[kind])
    if hidden:
        return
    for line, word in enumerate(offer.name.split()[:6]):
        raster.text(x + 4, y + 6 + line * 12, word[:11], _PANEL)
    thing = offer.joker or offer.consumable
    if thing is not None and thing.edition:
        raster.text(x + 4, y + _CARD_HEIGHT - 12, names.EDITIONS[thing.edition], _BACK)


def _playing_card(raster: _Raster, x: int, y: int, card: Card) -> None:
    if card.face_down:
        raster.box(x, y, _CARD_WIDTH - 4, _CARD_HEIGHT, _BACK)
        return
    ink = _GREY if card.debuffed else _INK[card.suit]
    raster.box(x, y, _CARD_WIDTH - 4, _CARD_HEIGHT, _WHITE)
    raster.box(x + _CARD_WIDTH - 5, y, 1, _CARD_HEIGHT, _PANEL)
    raster.text(x + 6, y + 6, names.RANKS[card.rank - 2].replace("T", "10"), ink, 3)
    raster.text(x + 6, y + 34, names.SUITS[card.suit], ink, 3)
    for line, word in enumerate(
        (
            names.ENHANCEMENTS[card.enhancement],
            names.EDITIONS[card.edition],
            card.seal_name.upper(),
        )
    ):
        raster.text(x + 6, y + 62 + line * 11, word[:10], _PANEL)
